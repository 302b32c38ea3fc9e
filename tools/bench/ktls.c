/* ktls.c: hands fixed keys to the kernel's TLS. */
#include <errno.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "ktls.h"

/* The C library of Debian 12 knows neither of the two. */
#ifndef TCP_ULP
#define TCP_ULP 31
#endif
#ifndef SOL_TLS
#define SOL_TLS 282
#endif

int ktls_start(int sender, int receiver)
{
	struct tls12_crypto_info_aes_gcm_128 keys = {
		.info = { .version = TLS_1_3_VERSION, .cipher_type = TLS_CIPHER_AES_GCM_128 }
	};

	memset(keys.key, 0x11, sizeof(keys.key));
	memset(keys.salt, 0x22, sizeof(keys.salt));
	memset(keys.iv, 0x33, sizeof(keys.iv));
	if (setsockopt(sender, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0 ||
	    setsockopt(receiver, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls")) < 0 ||
	    setsockopt(sender, SOL_TLS, TLS_TX, &keys, sizeof(keys)) < 0 ||
	    setsockopt(receiver, SOL_TLS, TLS_RX, &keys, sizeof(keys)) < 0)
		return -errno;
	return 0;
}
