/* address.h: the addresses of a connection, as the two ends of it know themselves. */
#ifndef SLUICE_TOOLS_SERVER_ADDRESS_H
#define SLUICE_TOOLS_SERVER_ADDRESS_H

#include <sluice/sock.h>

/* Where the address is IPv4's in a frame of IPv6 (::ffff:192.0.2.1), as a socket that listens to
 * both has them, makes it one of IPv4: logs, limits and headers know one form of each client. */
void server_address_unmap(struct sl_sock_addr *addr);

/* sl_sock_addr_of(), then that. */
int server_address_of(struct sl_ring *ring, int fd, int peer, struct sl_sock_addr *ret_addr);

#endif
