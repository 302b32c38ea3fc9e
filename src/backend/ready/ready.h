/*
 * ready.h - the backends that wait for readiness, one for each poller.
 */
#ifndef SL_BACKEND_READY_READY_H
#define SL_BACKEND_READY_READY_H

#include "engine/backend.h"

extern const struct sl_backend sl_backend_epoll;
extern const struct sl_backend sl_backend_poll;
extern const struct sl_backend sl_backend_select;

#endif
