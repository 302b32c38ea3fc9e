/* wal_peer.c: finds the library of a peer. */
#include "wal_peer.h"

#include <dlfcn.h>

int wal_peer_load(const char *library, const char *const *names, void **fns, unsigned nr)
{
	void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		return -1;
	for (unsigned i = 0; i < nr; i++) {
		fns[i] = dlsym(handle, names[i]);
		if (!fns[i])
			return -1;
	}
	return 0;
}
