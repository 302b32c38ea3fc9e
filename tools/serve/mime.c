/* mime.c: the media type of a file by its name; a hash of suffixes in lower case; see mime.h. */
#include "tools/serve/mime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SLOTS	   8192 /* a power of two; the system's tables have about 1,200 suffixes */
#define SUFFIX_MAX 24
#define TABLE_MAX  (4 << 20)
#define UNKNOWN	   "application/octet-stream"

struct entry {
	char suffix[SUFFIX_MAX]; /* without its dot; "" : free */
	char *type;
};

struct serve_mime {
	uint32_t refs; /* atomic */
	uint32_t used;
	struct entry slot[SLOTS];
};

static const char built_in[] = "text/html html htm\n"
			       "text/css css\n"
			       "text/plain txt log md c h conf\n"
			       "text/csv csv\n"
			       "text/javascript js mjs\n"
			       "application/json json map\n"
			       "application/xml xml\n"
			       "application/pdf pdf\n"
			       "application/wasm wasm\n"
			       "application/gzip gz tgz\n"
			       "application/zstd zst\n"
			       "application/zip zip\n"
			       "application/x-tar tar\n"
			       "image/png png\n"
			       "image/jpeg jpg jpeg\n"
			       "image/gif gif\n"
			       "image/webp webp\n"
			       "image/avif avif\n"
			       "image/svg+xml svg\n"
			       "image/vnd.microsoft.icon ico\n"
			       "font/woff woff\n"
			       "font/woff2 woff2\n"
			       "audio/mpeg mp3\n"
			       "audio/ogg ogg oga\n"
			       "video/mp4 mp4\n"
			       "video/webm webm\n";

static uint32_t hash(const char *suffix)
{
	uint32_t value = 2166136261u;

	for (; *suffix; suffix++)
		value = (value ^ (uint8_t)*suffix) * 16777619u;
	return value;
}

/* The suffix's slot, or the free one where it would go. */
static const struct entry *find(const struct serve_mime *mime, const char *suffix)
{
	uint32_t at = hash(suffix) % SLOTS;

	while (mime->slot[at].suffix[0] && strcmp(mime->slot[at].suffix, suffix) != 0)
		at = (at + 1) % SLOTS;
	return &mime->slot[at];
}

/* Lower-cases a suffix; false when it is none that the table could hold. */
static bool fold(struct http_text text, char ret[SUFFIX_MAX])
{
	if (text.len < 1 || text.len >= SUFFIX_MAX)
		return false;
	for (uint32_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		ret[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	ret[text.len] = '\0';
	return true;
}

static char *type_text(struct http_text type)
{
	bool text = type.len > 5 && memcmp(type.at, "text/", 5) == 0;
	char *copy;

	if (asprintf(&copy, "%.*s%s", (int)type.len, type.at, text ? "; charset=utf-8" : "") < 0)
		return NULL;
	return copy;
}

static int add(struct serve_mime *mime, struct http_text type, struct http_text suffix)
{
	char folded[SUFFIX_MAX];
	struct entry *entry;

	/* What goes into a header must be fit for one. */
	if (!memchr(type.at, '/', type.len) || !http_all(type, HTTP_PLAIN) ||
	    type.len + 16 > SERVE_TYPE_MAX || !fold(suffix, folded) || mime->used >= SLOTS / 2)
		return 0;
	entry = (struct entry *)find(mime, folded);
	if (entry->suffix[0])
		return 0;
	entry->type = type_text(type);
	if (!entry->type)
		return -ENOMEM;
	memcpy(entry->suffix, folded, sizeof(folded));
	mime->used++;
	return 0;
}

static struct http_text word(struct http_text *line)
{
	struct http_text ret;

	*line = http_trim(*line);
	ret = (struct http_text){ line->at, 0 };
	while (ret.len < line->len && line->at[ret.len] != ' ' && line->at[ret.len] != '\t')
		ret.len++;
	line->at += ret.len;
	line->len -= ret.len;
	return ret;
}

/* "50:text/html:*.html" */
static int add_glob(struct serve_mime *mime, struct http_text line)
{
	const char *first = memchr(line.at, ':', line.len), *end = line.at + line.len, *second;

	if (!first)
		return 0;
	second = memchr(first + 1, ':', (size_t)(end - first - 1));
	if (!second || end - second < 4 || memcmp(second, ":*.", 3) != 0)
		return 0;
	return add(mime, (struct http_text){ first + 1, (uint32_t)(second - first - 1) },
		   (struct http_text){ second + 3, (uint32_t)(end - second - 3) });
}

static int add_line(struct serve_mime *mime, struct http_text line)
{
	struct http_text type, suffix;
	int rc = 0;

	line = http_trim(line);
	if (!line.len || line.at[0] == '#')
		return 0;
	if (line.at[0] >= '0' && line.at[0] <= '9')
		return add_glob(mime, line);
	type = word(&line);
	for (suffix = word(&line); suffix.len && rc == 0; suffix = word(&line))
		rc = add(mime, type, suffix);
	return rc;
}

int serve_mime_add(struct serve_mime *mime, const char *text, size_t len)
{
	const char *end = text + len;
	int rc = 0;

	while (text < end && rc == 0) {
		const char *lf = memchr(text, '\n', (size_t)(end - text));

		lf = lf ? lf : end;
		rc = add_line(mime, (struct http_text){ text, (uint32_t)(lf - text) });
		text = lf + 1;
	}
	return rc;
}

static int add_file(struct serve_mime *mime, const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = file ? malloc(TABLE_MAX) : NULL;
	int rc = file ? -ENOMEM : -errno;

	if (text) {
		size_t len = fread(text, 1, TABLE_MAX, file);

		rc = ferror(file) ? -EIO : serve_mime_add(mime, text, len);
	}
	free(text);
	if (file)
		fclose(file);
	return rc;
}

int serve_mime_load(const char *path, struct serve_mime **ret)
{
	struct serve_mime *mime = calloc(1, sizeof(*mime));
	int rc = mime ? 0 : -ENOMEM;

	if (mime)
		mime->refs = 1;
	if (mime && path)
		rc = add_file(mime, path);
	else if (mime && add_file(mime, SERVE_MIME_SYSTEM) < 0)
		add_file(mime, "/usr/share/mime/globs2");
	if (rc == 0)
		rc = serve_mime_add(mime, built_in, sizeof(built_in) - 1);
	if (rc < 0) {
		serve_mime_free(mime);
		return rc;
	}
	*ret = mime;
	return 0;
}

struct serve_mime *serve_mime_get(struct serve_mime *mime)
{
	__atomic_fetch_add(&mime->refs, 1, __ATOMIC_RELAXED);
	return mime;
}

void serve_mime_free(struct serve_mime *mime)
{
	/* Acquire and release: the last one sees what the others did before they let go. */
	if (!mime || __atomic_sub_fetch(&mime->refs, 1, __ATOMIC_ACQ_REL))
		return;
	for (uint32_t i = 0; i < SLOTS; i++)
		free(mime->slot[i].type);
	free(mime);
}

const char *serve_mime_type(const struct serve_mime *mime, struct http_text name)
{
	const char *dot = memrchr(name.at, '.', name.len);
	const char *end = name.at + name.len, *slash = memrchr(name.at, '/', name.len);
	const struct entry *entry;
	char folded[SUFFIX_MAX] = "";

	if (!dot || (slash && dot < slash) ||
	    !fold((struct http_text){ dot + 1, (uint32_t)(end - dot - 1) }, folded))
		return UNKNOWN;
	entry = find(mime, folded);
	return entry->suffix[0] ? entry->type : UNKNOWN;
}
