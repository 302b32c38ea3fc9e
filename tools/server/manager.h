/* manager.h: tells the service manager how it goes (sd_notify(3), without its library). */
#ifndef SLUICE_TOOLS_SERVER_MANAGER_H
#define SLUICE_TOOLS_SERVER_MANAGER_H

/* Lines such as "READY=1"; nothing happens where no manager asked to be told. */
void server_manager_tell(const char *lines);

#endif
