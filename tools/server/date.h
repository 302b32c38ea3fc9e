/* date.h: dates as HTTP writes them (RFC 9110 section 5.6.7), and as access logs do. */
#ifndef SLUICE_TOOLS_SERVER_DATE_H
#define SLUICE_TOOLS_SERVER_DATE_H

#include "tools/server/text.h"

#define HTTP_DATE_LEN  29 /* "Sun, 06 Nov 1994 08:49:37 GMT" */
#define HTTP_LOG_LEN   26 /* "06/Nov/1994:08:49:37 +0000" */
#define HTTP_STAMP_LEN 20 /* "1994-11-06T08:49:37Z" */

/* Each writes exactly so many bytes, without a 0; seconds since 1970, in the years 0 to 9999. */
void http_date(int64_t seconds, char *buf);
void http_log_date(int64_t seconds, char *buf);
void http_stamp(int64_t seconds, char *buf);

/**
 * http_date_parse() - read a date in any of the three forms that HTTP knows.
 * @now: seconds since 1970: a year of two digits more than 50 years ahead is one of the past.
 *
 * Return: 0, -EINVAL for anything else.
 */
int http_date_parse(struct http_text text, int64_t now, int64_t *ret_seconds);

#endif
