/* The io_uring backend, for the registry. */
#ifndef SL_BACKEND_URING_BACKEND_H
#define SL_BACKEND_URING_BACKEND_H

#include "engine/backend.h"

/* "uring"; options: "", "sqpoll" or "iopoll" (uring.h says what they change). */
extern const struct sl_backend sl_backend_uring;

#endif
