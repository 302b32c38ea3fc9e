/*
 * registry.h - the backends by name.
 */
#ifndef SL_BACKEND_REGISTRY_H
#define SL_BACKEND_REGISTRY_H

#include "engine/backend.h"

/* What may be asked for, for messages. */
#define SL_REGISTRY_NAMES                                          \
	"uring, uring:sqpoll, uring:iopoll, epoll, poll, select, " \
	"record:NAME,trace=FILE,dir=DIRECTORY"

/**
 * sl_registry_find - the backend of a name such as "uring:sqpoll"
 * @name: a name, or a name, a colon and options
 * @ret_options: points behind the colon in @name, or at ""; untouched on failure
 *
 * Context: any thread.
 * Return: the backend, or NULL for a name that is not known.
 */
const struct sl_backend *sl_registry_find(const char *name, const char **ret_options);

/**
 * sl_registry_at - the backends in order of preference
 * @idx: 0 is the best one
 *
 * Context: any thread.
 * Return: the backend, or NULL beyond the last one.
 */
const struct sl_backend *sl_registry_at(unsigned idx);

#endif
