/* site.c: what a reload replaces: the root, the types, the error pages, the log; see site.h. */
#include "tools/serve/site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_MAX (256 << 10)

static int open_root(const struct serve_config *config, struct serve_site *site)
{
	site->root_fd = open(config->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (site->root_fd >= 0)
		return CLI_DONE;
	return cli_fail_errno(config->root, errno,
			      errno == ENOTDIR ? "it is no directory, name the one to serve" :
						 NULL);
}

static int open_log(const struct serve_config *config, struct serve_site *site)
{
	if (!config->access_log)
		return CLI_DONE;
	if (strcmp(config->access_log, "-") == 0)
		site->log_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		site->log_fd = open(config->access_log,
				    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
	return site->log_fd >= 0 ? CLI_DONE : cli_fail_errno(config->access_log, errno, NULL);
}

static int read_page(int dir_fd, unsigned status, struct serve_page *page)
{
	char name[16];
	struct stat st;
	ssize_t len;
	int fd;

	snprintf(name, sizeof(name), "%u.html", status);
	fd = openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > PAGE_MAX) {
		close(fd);
		return -EFBIG;
	}
	page->bytes = malloc((size_t)st.st_size + 1);
	len = page->bytes ? pread(fd, page->bytes, (size_t)st.st_size, 0) : -1;
	close(fd);
	if (len < 0)
		return -EIO;
	page->len = (uint32_t)len;
	return 0;
}

static int read_pages(const struct serve_config *config, struct serve_site *site)
{
	int dir_fd, rc = 0;

	if (!config->error_pages)
		return CLI_DONE;
	dir_fd = open(config->error_pages, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return cli_fail_errno(config->error_pages, errno, NULL);
	for (unsigned status = 400; status < SERVE_STATUS_MAX && rc == 0; status++)
		rc = read_page(dir_fd, status, &site->pages[status]);
	close(dir_fd);
	if (rc == 0)
		return CLI_DONE;
	return cli_fail_errno(config->error_pages, rc,
			      rc == -EFBIG ? "error pages are files of at most 256 KiB" : NULL);
}

static int open_tls(const struct serve_config *config, struct serve_site *site)
{
	const struct server_tls_opts opts = { .certs = &config->tls_certs,
					      .keys = &config->tls_keys,
					      .min = config->tls_min,
					      .kernel = !config->no_ktls && server_tls_kernel() };

	return config->tls_certs.nr ? server_tls_open(&opts, &site->tls) : CLI_DONE;
}

int serve_site_open(const struct serve_config *config, struct serve_site **ret)
{
	struct serve_site *site = calloc(1, sizeof(*site));
	int code, rc;

	if (!site)
		return cli_fail_errno("memory", ENOMEM, NULL);
	site->refs = 1;
	site->root_fd = site->log_fd = -1;
	rc = serve_mime_load(config->types, &site->mime);
	code = rc ? cli_fail_errno(config->types ? config->types : "media types", rc, NULL) :
		    CLI_DONE;
	if (code == CLI_DONE)
		code = open_root(config, site);
	if (code == CLI_DONE)
		code = open_log(config, site);
	if (code == CLI_DONE)
		code = read_pages(config, site);
	if (code == CLI_DONE)
		code = open_tls(config, site);
	if (code == CLI_DONE)
		*ret = site;
	else
		serve_site_put(site);
	return code;
}

struct serve_site *serve_site_get(struct serve_site *site)
{
	__atomic_fetch_add(&site->refs, 1, __ATOMIC_RELAXED);
	return site;
}

void serve_site_put(struct serve_site *site)
{
	/* Acquire and release: the last one sees what the others did before they let go. */
	if (!site || __atomic_sub_fetch(&site->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (unsigned i = 0; i < SERVE_STATUS_MAX; i++)
		free(site->pages[i].bytes);
	serve_mime_free(site->mime);
	server_tls_put(site->tls);
	if (site->root_fd >= 0)
		close(site->root_fd);
	if (site->log_fd >= 0)
		close(site->log_fd);
	free(site);
}
