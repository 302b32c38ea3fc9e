/* SPDX-License-Identifier: MIT */
/* sluice.h - all of sluice: include this, or only the headers you use. */
#ifndef SLUICE_SLUICE_H
#define SLUICE_SLUICE_H

#include <sluice/buf.h>
#include <sluice/caps.h>
#include <sluice/crash.h>
#include <sluice/err.h>
#include <sluice/file.h>
#include <sluice/log.h>
#include <sluice/op.h>
#include <sluice/relay.h>
#include <sluice/ring.h>
#include <sluice/sim.h>
#include <sluice/sock.h>
#include <sluice/wal.h>

SL_BEGIN_DECLS

#define SL_VERSION_MAJOR 0
#define SL_VERSION_MINOR 1
#define SL_VERSION_PATCH 0
#define SL_VERSION	 ((SL_VERSION_MAJOR << 16) | (SL_VERSION_MINOR << 8) | SL_VERSION_PATCH)

/**
 * sl_version - the version of the library that is running
 *
 * Compare with SL_VERSION, the version compiled against: the same major number
 * means that the program goes on working.
 *
 * Context: any thread, async-signal-safe.
 * Return: major << 16 | minor << 8 | patch.
 */
SL_EXPORT uint32_t sl_version(void);

SL_END_DECLS

#endif
