/* site.c: what a reload replaces: the root, the types, the error pages, the log; see site.h. */
#include "tools/serve/site.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE_MAX (256 << 10)

/* What it is opened from. */
struct source {
	const struct serve_config *config;
	const struct serve_site *before;
	const struct serve_confined *confined;
};

static int fail(const struct source *source, const char *path, int err)
{
	return cli_fail_errno(path, err,
			      serve_confined_remedy(source->confined, source->config, path, err));
}

/* By the same names as before, or another table would be taken in silence: what it was when the
 * process was confined cannot be read any more when a package has replaced it. */
static bool keep_types(const struct source *source, struct serve_site *site)
{
	int fd;

	if (!source->before || source->config->types)
		return false;
	fd = open(SERVE_MIME_SYSTEM, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 || errno != EACCES)
		return false;
	fprintf(stderr,
		"sluice serve: %s: cannot be read any more (another file now?); going on "
		"with the media types of before, restart for those of now\n",
		SERVE_MIME_SYSTEM);
	site->mime = serve_mime_get(source->before->mime);
	return true;
}

static int open_types(const struct source *source, struct serve_site *site)
{
	const char *types = source->config->types;
	int rc;

	if (keep_types(source, site))
		return CLI_DONE;
	rc = serve_mime_load(types, &site->mime);
	return rc ? fail(source, types ? types : "media types", rc) : CLI_DONE;
}

static int open_root(const struct source *source, struct serve_site *site)
{
	const char *root = source->config->root;

	site->root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (site->root_fd < 0)
		return cli_fail_errno(
			root, errno,
			errno == ENOTDIR ? "it is no directory, name the one to serve" : NULL);
	if (serve_confined_reaches(source->confined, site->root_fd))
		return CLI_DONE;
	return cli_fail(CLI_MACHINE, root,
			"it is another directory now, and confinement holds to the first one",
			"restart, or run with --confine-to a directory above both, or "
			"--unconfined");
}

static int open_log(const struct source *source, struct serve_site *site)
{
	const struct serve_config *config = source->config;

	if (!config->access_log)
		return CLI_DONE;
	if (strcmp(config->access_log, "-") == 0)
		site->log_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		site->log_fd = open(config->access_log,
				    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
	return site->log_fd >= 0 ? CLI_DONE : fail(source, config->access_log, errno);
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

static int read_pages(const struct source *source, struct serve_site *site)
{
	const char *pages = source->config->error_pages;
	int dir_fd, rc = 0;

	if (!pages)
		return CLI_DONE;
	dir_fd = open(pages, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return cli_fail_errno(pages, errno, NULL);
	for (unsigned status = 400; status < SERVE_STATUS_MAX && rc == 0; status++)
		rc = read_page(dir_fd, status, &site->pages[status]);
	close(dir_fd);
	if (rc == -EFBIG)
		return cli_fail_errno(pages, rc, "error pages are files of at most 256 KiB");
	return rc ? fail(source, pages, rc) : CLI_DONE;
}

static int open_tls(const struct serve_config *config, struct serve_site *site)
{
	const struct server_tls_opts opts = { .certs = &config->tls_certs,
					      .keys = &config->tls_keys,
					      .min = config->tls_min,
					      .kernel = !config->no_ktls && server_tls_kernel() };

	return config->tls_certs.nr ? server_tls_open(&opts, &site->tls) : CLI_DONE;
}

int serve_site_open(const struct serve_config *config, const struct serve_site *before,
		    const struct serve_confined *confined, struct serve_site **ret)
{
	const struct source source = { config, before, confined };
	struct serve_site *site = calloc(1, sizeof(*site));
	int code;

	if (!site)
		return cli_fail_errno("memory", ENOMEM, NULL);
	site->refs = 1;
	site->root_fd = site->log_fd = -1;
	code = open_types(&source, site);
	if (code == CLI_DONE)
		code = open_root(&source, site);
	if (code == CLI_DONE)
		code = open_log(&source, site);
	if (code == CLI_DONE)
		code = read_pages(&source, site);
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
