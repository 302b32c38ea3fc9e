/* SPDX-License-Identifier: MIT */
/* record.h - the backend that wraps another one and logs what programs do to their files. */
#ifndef SLUICE_BACKEND_RECORD_RECORD_H
#define SLUICE_BACKEND_RECORD_RECORD_H

#include "engine/backend.h"

extern const struct sl_backend sl_backend_record;

#endif
