/*
 * listing.c: the page of a directory, read and looked at by the ring, one step at a time.
 *
 *	open --> names, a buffer at a time --> stat each --> page --> told
 *
 * Links are not followed: their size is not shown, and what they lead to is found out by whoever
 * asks for it.
 */
#include "tools/serve/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/serve/answer.h"
#include "tools/serve/load.h"

#define NAMES_BYTES 32768

struct serve_listing {
	struct sl_op op;
	struct serve_task *task;
	serve_listing_fn *done;
	struct sl_open_how how;
	struct statx stx;
	int fd;
	struct serve_name *names;
	size_t nr, room, at;
	bool cut;
	char buf[NAMES_BYTES];
};

/* ---- the page --------------------------------------------------------------------------- */

static const char page_begin[] =
	"<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
	"<meta name=\"viewport\" content=\"width=device-width\">\n<style>"
	":root{color-scheme:light dark;--line:#ddd;--soft:#666;--link:#0550ae;--row:#f4f6f8}"
	"@media(prefers-color-scheme:dark){:root{--line:#333;--soft:#999;--link:#79b8ff;"
	"--row:#1c2128}}"
	"body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
	"h1{font-size:1.2rem;font-weight:600;overflow-wrap:anywhere}"
	"table{width:100%;border-collapse:collapse}"
	"th{text-align:left;font-weight:500;color:var(--soft);border-bottom:1px solid var(--line)}"
	"td,th{padding:.3rem .5rem}tr:hover td{background:var(--row)}"
	"td:first-child{overflow-wrap:anywhere}a{color:var(--link);text-decoration:none}"
	"a:hover{text-decoration:underline}"
	".n{text-align:right;white-space:nowrap;color:var(--soft);"
	"font-variant-numeric:tabular-nums}footer{color:var(--soft);margin-top:1rem}</style>\n";

static void put_html(FILE *out, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '&':
			fputs("&amp;", out);
			break;
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		case '\'':
			fputs("&#39;", out);
			break;
		default:
			/* Control characters in a name must not move what is around it. */
			fputc((uint8_t)*text < ' ' || *text == 0x7f ? '?' : *text, out);
		}
	}
}

static void put_link(FILE *out, const char *name)
{
	char escaped[3 * 256 + 1];
	size_t len = http_escape_path(http_text(name), escaped, sizeof(escaped) - 1);

	escaped[len] = '\0';
	fprintf(out, "./%s", escaped);
}

static void put_size(FILE *out, uint64_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double value = (double)size;
	unsigned unit = 0;

	for (; value >= 1024 && unit < 5; unit++)
		value /= 1024;
	fprintf(out, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static void put_row(FILE *out, const struct serve_name *name)
{
	char stamp[HTTP_STAMP_LEN];

	http_stamp(name->modified, stamp);
	fputs("<tr><td><a href=\"", out);
	put_link(out, name->name);
	fputs(name->directory ? "/\">" : "\">", out);
	put_html(out, name->name);
	fputs(name->directory ? "/</a><td class=\"n\">" : "</a><td class=\"n\">", out);
	if (!name->directory)
		put_size(out, name->size);
	fprintf(out, "<td class=\"n\"><time datetime=\"%.20s\">%.10s %.5s</time>\n", stamp, stamp,
		stamp + 11);
}

static int by_kind_and_name(const void *a, const void *b)
{
	const struct serve_name *left = a, *right = b;

	if (left->directory != right->directory)
		return left->directory ? -1 : 1;
	return strcmp(left->name, right->name);
}

char *serve_listing_page(struct http_text path, struct serve_name *names, size_t nr, bool cut,
			 size_t *ret_len)
{
	bool root = path.len == 1 && path.at[0] == '.';
	char shown[HTTP_PATH_BYTES + 3], *page = NULL;
	FILE *out = open_memstream(&page, ret_len);

	if (!out)
		return NULL;
	snprintf(shown, sizeof(shown), "/%.*s%s", root ? 0 : (int)path.len, path.at,
		 root ? "" : "/");
	qsort(names, nr, sizeof(*names), by_kind_and_name);
	fputs(page_begin, out);
	fputs("<title>", out);
	put_html(out, shown);
	fputs("</title>\n<h1>", out);
	put_html(out, shown);
	fputs("</h1>\n<table><thead><tr><th>Name<th class=\"n\">Size<th class=\"n\">Modified "
	      "(UTC)<tbody>\n",
	      out);
	if (!root)
		fputs("<tr><td><a href=\"../\">../</a><td><td>\n", out);
	for (size_t i = 0; i < nr; i++)
		put_row(out, &names[i]);
	fputs("</table>\n", out);
	if (cut)
		fprintf(out, "<footer>Only the first %zu names are shown.</footer>\n", nr);
	else if (!nr)
		fputs("<footer>This directory is empty.</footer>\n", out);
	fputs("</html>\n", out);
	if (ferror(out) | fclose(out)) {
		free(page);
		return NULL;
	}
	return page;
}

/* ---- the steps -------------------------------------------------------------------------- */

static void finish(struct serve_listing *listing, int err)
{
	struct serve_task *task = listing->task;
	size_t len = 0;
	char *page = NULL;

	if (!err && task->conn) {
		page = serve_listing_page(task->path.path, listing->names, listing->nr,
					  listing->cut, &len);
		err = page ? 0 : -ENOMEM;
	}
	if (task->conn && err)
		serve_answer_status(task->conn, &task->request, serve_status_of(err), NULL);
	else if (task->conn)
		serve_answer_text(task->conn, &task->request, 200, "text/html; charset=utf-8",
				  (struct http_text){ page, (uint32_t)len });
	free(page);
	for (size_t i = 0; i < listing->nr; i++)
		free(listing->names[i].name);
	free(listing->names);
	if (listing->fd >= 0)
		close(listing->fd);
	listing->done(task);
	free(listing);
}

static void submit(struct serve_listing *listing, sl_op_fn *done)
{
	int err;

	listing->op.flags |= SL_OP_PARK;
	listing->op.done = done;
	err = sl_ring_submit(listing->task->worker->ring, &listing->op);
	if (err)
		finish(listing, err);
}

static void stat_next(struct serve_listing *listing);

static void on_stat(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_listing *listing = sl_op_of(op, struct serve_listing, op);
	struct serve_name *name = &listing->names[listing->at];

	(void)ring;
	if (op->res < 0) { /* it has gone meanwhile */
		free(name->name);
		*name = listing->names[--listing->nr];
	} else {
		name->directory = S_ISDIR(listing->stx.stx_mode);
		name->size = S_ISREG(listing->stx.stx_mode) ? listing->stx.stx_size : 0;
		name->modified = listing->stx.stx_mtime.tv_sec;
		listing->at++;
	}
	stat_next(listing);
}

static void stat_next(struct serve_listing *listing)
{
	if (listing->at == listing->nr || !listing->task->conn) {
		finish(listing, 0);
		return;
	}
	sl_op_stat(&listing->op, listing->fd, listing->names[listing->at].name, AT_SYMLINK_NOFOLLOW,
		   STATX_BASIC_STATS, &listing->stx);
	submit(listing, on_stat);
}

static int add_name(struct serve_listing *listing, const char *name)
{
	struct serve_name *grown;

	if (name[0] == '.' &&
	    (!listing->task->worker->config->hidden || !name[1] || (name[1] == '.' && !name[2])))
		return 0;
	if (listing->nr == SERVE_LISTED_MAX) {
		listing->cut = true;
		return 0;
	}
	if (listing->nr == listing->room) {
		listing->room = listing->room ? 2 * listing->room : 64;
		grown = realloc(listing->names, listing->room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		listing->names = grown;
	}
	listing->names[listing->nr] = (struct serve_name){ .name = strdup(name) };
	if (!listing->names[listing->nr].name)
		return -ENOMEM;
	listing->nr++;
	return 0;
}

/* As getdents64(2) writes it; the C library's struct dirent64 is the same. */
static int add_names(struct serve_listing *listing, size_t len)
{
	int err = 0;

	for (size_t at = 0; at < len && !err;) {
		const struct dirent64 *entry = (const struct dirent64 *)(listing->buf + at);

		err = add_name(listing, entry->d_name);
		at += entry->d_reclen;
	}
	return err;
}

static void on_names(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_listing *listing = sl_op_of(op, struct serve_listing, op);
	int err = op->res < 0 ? (int)op->res : add_names(listing, (size_t)op->res);

	(void)ring;
	if (err) {
		finish(listing, err);
	} else if (op->res == 0 || listing->cut) {
		stat_next(listing);
	} else {
		sl_op_readdir(op, listing->fd, listing->buf, sizeof(listing->buf));
		submit(listing, on_names);
	}
}

static void on_open(struct sl_ring *ring, struct sl_op *op)
{
	struct serve_listing *listing = sl_op_of(op, struct serve_listing, op);

	(void)ring;
	if (op->res < 0) {
		finish(listing, (int)op->res);
		return;
	}
	listing->fd = (int)op->res;
	sl_op_readdir(op, listing->fd, listing->buf, sizeof(listing->buf));
	submit(listing, on_names);
}

int serve_listing_start(struct serve_task *task, serve_listing_fn *done)
{
	struct serve_listing *listing = malloc(sizeof(*listing));
	int err;

	if (!listing)
		return -ENOMEM;
	memset(listing, 0, offsetof(struct serve_listing, buf));
	listing->task = task;
	listing->done = done;
	listing->fd = -1;
	listing->how = (struct sl_open_how){
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_NO_MAGICLINKS,
	};
	if (!task->worker->config->follow)
		listing->how.resolve |= RESOLVE_BENEATH;
	sl_op_open(&listing->op, task->worker->site->root_fd, task->path.path.at, &listing->how);
	listing->op.flags |= SL_OP_PARK;
	listing->op.done = on_open;
	err = sl_ring_submit(task->worker->ring, &listing->op);
	if (err)
		free(listing);
	return err;
}
