/* ktls.h: TLS by the kernel on a connected TCP socket, with keys that both ends know. */
#ifndef SLUICE_TOOLS_BENCH_KTLS_H
#define SLUICE_TOOLS_BENCH_KTLS_H

/**
 * ktls_start - make the kernel encrypt what one end sends and decrypt what the other receives.
 * @sender: a connected TCP socket on which nothing was sent.
 * @receiver: its other end.
 *
 * TLS 1.3 records under AES-128-GCM. The keys are fixed: nothing here is secret, and the work is
 * the same.
 *
 * Return: 0; -ENOENT where the kernel has no TLS or its module is not loaded; -errno else.
 */
int ktls_start(int sender, int receiver);

#endif
