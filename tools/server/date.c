/* date.c: dates as HTTP writes them, worked out without the C library's locks and time zones. */
#include "tools/server/date.h"

#include <errno.h>

#define DAY 86400

static const char days[7][10] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
				  "Thursday", "Friday", "Saturday" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
				    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

struct moment {
	int year, month, day; /* month from 0, day from 1 */
	int hour, minute, second;
	int weekday; /* 0: Sunday */
};

/* Days since 1970 of a day; years begin in March here, so that a leap day is the last one. */
static int64_t day_number(int year, int month, int day)
{
	int64_t y = month < 2 ? year - 1 : year;
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * ((month + 10) % 12) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void split(int64_t seconds, struct moment *ret)
{
	int64_t day = seconds / DAY, rest = seconds % DAY, era, of_era, year, of_year, march;

	if (rest < 0) {
		rest += DAY;
		day--;
	}
	ret->hour = (int)(rest / 3600);
	ret->minute = (int)(rest / 60 % 60);
	ret->second = (int)(rest % 60);
	ret->weekday = (int)(((day + 4) % 7 + 7) % 7);
	day += 719468;
	era = (day >= 0 ? day : day - 146096) / 146097;
	of_era = day - era * 146097;
	year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year + year / 4 - year / 100);
	march = (5 * of_year + 2) / 153;
	ret->day = (int)(of_year - (153 * march + 2) / 5 + 1);
	ret->month = (int)((march + 2) % 12);
	ret->year = (int)(year + era * 400 + (ret->month < 2));
}

static void put(char *buf, int value, int digits)
{
	while (digits--) {
		buf[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

static void put_time(char *buf, const struct moment *moment)
{
	put(buf, moment->hour, 2);
	buf[2] = ':';
	put(buf + 3, moment->minute, 2);
	buf[5] = ':';
	put(buf + 6, moment->second, 2);
}

void http_date(int64_t seconds, char *buf)
{
	struct moment moment;

	split(seconds, &moment);
	memcpy(buf, "Sun, 06 Nov 1994 08:49:37 GMT", HTTP_DATE_LEN);
	memcpy(buf, days[moment.weekday], 3);
	put(buf + 5, moment.day, 2);
	memcpy(buf + 8, months[moment.month], 3);
	put(buf + 12, moment.year, 4);
	put_time(buf + 17, &moment);
}

void http_log_date(int64_t seconds, char *buf)
{
	struct moment moment;

	split(seconds, &moment);
	memcpy(buf, "06/Nov/1994:08:49:37 +0000", HTTP_LOG_LEN);
	put(buf, moment.day, 2);
	memcpy(buf + 3, months[moment.month], 3);
	put(buf + 7, moment.year, 4);
	put_time(buf + 12, &moment);
}

void http_stamp(int64_t seconds, char *buf)
{
	struct moment moment;

	split(seconds, &moment);
	memcpy(buf, "1994-11-06T08:49:37Z", HTTP_STAMP_LEN);
	put(buf, moment.year, 4);
	put(buf + 5, moment.month + 1, 2);
	put(buf + 8, moment.day, 2);
	put_time(buf + 11, &moment);
}

/* ---- reading ------------------------------------------------------------------------- */

/*
 * A form is a picture: D a digit of the day, B the month's name, Y H m s digits, w the short and W
 * the long name of a weekday, _ a digit or a space; anything else stands for itself.
 */
static const char *const forms[] = {
	"w, DD B YYYY HH:mm:ss GMT",
	"W, DD-B-YY HH:mm:ss GMT",
	"w B _D HH:mm:ss YYYY",
};

static int take_name(const char **at, const char *end, const char *names, size_t bytes, int nr,
		     size_t len)
{
	for (int i = 0; i < nr; i++) {
		const char *name = names + (size_t)i * bytes;
		size_t wanted = len ? len : strlen(name);

		if ((size_t)(end - *at) >= wanted && memcmp(*at, name, wanted) == 0) {
			*at += wanted;
			return i;
		}
	}
	return -1;
}

static int *part_of(struct moment *moment, char letter)
{
	switch (letter) {
	case 'D':
	case '_':
		return &moment->day;
	case 'Y':
		return &moment->year;
	case 'H':
		return &moment->hour;
	case 'm':
		return &moment->minute;
	case 's':
		return &moment->second;
	default:
		return NULL;
	}
}

static bool match(const char *form, struct http_text text, struct moment *moment)
{
	const char *at = text.at, *end = at + text.len;

	for (; *form; form++) {
		int *part = part_of(moment, *form);

		if (*form == 'w' || *form == 'W') {
			moment->weekday = take_name(&at, end, days[0], sizeof(days[0]), 7,
						    *form == 'w' ? 3 : 0);
			if (moment->weekday < 0)
				return false;
		} else if (*form == 'B') {
			moment->month = take_name(&at, end, months[0], sizeof(months[0]), 12, 3);
			if (moment->month < 0)
				return false;
		} else if (at == end) {
			return false;
		} else if (*form == '_' && *at == ' ') {
			at++;
		} else if (part) {
			if (*at < '0' || *at > '9')
				return false;
			*part = *part * 10 + (*at++ - '0');
		} else if (*at++ != *form) {
			return false;
		}
	}
	return at == end;
}

static int days_in(int year, int month)
{
	return (int)(day_number(month == 11 ? year + 1 : year, (month + 1) % 12, 1) -
		     day_number(year, month, 1));
}

static bool is_real(const struct moment *moment)
{
	return moment->day >= 1 && moment->day <= days_in(moment->year, moment->month) &&
	       moment->hour < 24 && moment->minute < 60 && moment->second <= 60;
}

/* The year of two digits that is at most 50 years ahead. */
static int whole_year(int year, int64_t now)
{
	struct moment today;

	split(now, &today);
	year += today.year - today.year % 100;
	return year > today.year + 50 ? year - 100 : year;
}

int http_date_parse(struct http_text text, int64_t now, int64_t *ret_seconds)
{
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct moment moment = { 0 };

		if (!match(forms[i], text, &moment))
			continue;
		if (i == 1)
			moment.year = whole_year(moment.year, now);
		if (!is_real(&moment))
			return -EINVAL;
		*ret_seconds = day_number(moment.year, moment.month, moment.day) * DAY +
			       moment.hour * 3600 + moment.minute * 60 + moment.second;
		return 0;
	}
	return -EINVAL;
}
