/* json.h: a streaming JSON writer: what is written is always well-formed, or the process stops. */
#ifndef SLUICE_TOOLS_JSON_H
#define SLUICE_TOOLS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH_MAX 16

/*
 * Members take a key inside an object, and NULL inside an array or at the top. A misuse (a key in
 * an array, an end without a begin, two values at the top) is a bug of the caller and aborts.
 */
struct json_writer {
	/* private: */
	FILE *out;
	int depth;
	bool used; /* something was written at the top */
	struct {
		char close;  /* '}' or ']' */
		bool filled; /* a comma goes before the next */
	} level[JSON_DEPTH_MAX];
};

/* json_begin() - write to @out, borrowed until json_end(). */
void json_begin(struct json_writer *json, FILE *out);

/**
 * json_end() - end the text with a newline and flush it.
 *
 * Return: 0, or -EIO when any of it could not be written.
 */
int json_end(struct json_writer *json);

void json_open_object(struct json_writer *json, const char *key);
void json_close_object(struct json_writer *json);
void json_open_array(struct json_writer *json, const char *key);
void json_close_array(struct json_writer *json);

/* A NULL @value is null. Bytes that are not UTF-8 become U+FFFD, one each. */
void json_string(struct json_writer *json, const char *key, const char *value);

/* The string is formatted like printf. */
void json_format(struct json_writer *json, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

void json_int(struct json_writer *json, const char *key, int64_t value);
void json_uint(struct json_writer *json, const char *key, uint64_t value);

/* NaN and the infinities are null: JSON has no such numbers. */
void json_double(struct json_writer *json, const char *key, double value);

void json_bool(struct json_writer *json, const char *key, bool value);
void json_null(struct json_writer *json, const char *key);

#endif
