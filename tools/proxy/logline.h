/* logline.h: a line of the access log for each connection. */
#ifndef SLUICE_TOOLS_PROXY_LOGLINE_H
#define SLUICE_TOOLS_PROXY_LOGLINE_H

#include "tools/proxy/session.h"

/* The word for a reason, in logs and metrics. */
const char *proxy_end_word(enum proxy_end end);

/* Adds the line of a session that ends now. */
void proxy_log_session(const struct proxy_session *session);

#endif
