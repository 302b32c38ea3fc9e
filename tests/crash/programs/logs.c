/* logs.c: programs whose bug is in a log: records torn, taken for others, or acknowledged too
 * early. */
#include "tests/crash/programs/logs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/crash/programs/disk.h"
#include "tests/crash/programs/program.h"

/* -- records ------------------------------------------------------------------------------- */

static char letter(uint32_t nr)
{
	return (char)('a' + nr % 26);
}

static uint32_t sum_of(const struct log_record *record, uint32_t seed)
{
	uint32_t sum = disk_digest(seed, &record->head.nr, 2 * sizeof(uint32_t));

	return disk_digest(sum, record->payload, record->head.len);
}

void log_fill(struct log_record *record, uint32_t nr, uint32_t len, uint32_t seed)
{
	record->head.nr = nr;
	record->head.len = len;
	memset(record->payload, letter(nr), len);
	record->head.sum = sum_of(record, seed);
}

bool log_is_own(const struct log_record *record)
{
	for (uint32_t i = 0; i < record->head.len; i++) {
		if (record->payload[i] != letter(record->head.nr))
			return false;
	}
	return true;
}

bool log_next(struct log_reader *reader, struct log_record *ret_record)
{
	int fd = open(reader->name, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	if (fd < 0)
		return false;
	len = pread(fd, ret_record, sizeof(*ret_record), reader->off);
	close(fd);
	if (len < (ssize_t)sizeof(ret_record->head) || ret_record->head.len > LOG_PAYLOAD_MAX ||
	    log_bytes(ret_record) > (size_t)len)
		return false;
	if (reader->sums ? ret_record->head.sum != sum_of(ret_record, reader->seed) :
			   !ret_record->head.len)
		return false;
	reader->off += (off_t)log_bytes(ret_record);
	return true;
}

int log_check(struct log_reader *reader, uint32_t acked)
{
	struct log_record record;
	uint32_t nr = 0;

	while (log_next(reader, &record)) {
		nr++;
		if (record.head.nr != nr)
			return disk_bad("record %u reads as record %u", nr, record.head.nr);
		if (!log_is_own(&record))
			return disk_bad("record %u reads as valid, and its bytes are not its own",
					nr);
	}
	if (nr < acked)
		return disk_bad("record %u was acknowledged, only %u are there", acked, nr);
	return 0;
}

uint32_t log_acked(const char *acks)
{
	uint32_t nr = 0, last = 0;

	for (const char *at = acks; (at = strstr(at, "record ")); at += 7) {
		if (sscanf(at, "record %u", &nr) == 1)
			last = nr;
	}
	return last;
}

void log_ack(uint32_t nr)
{
	char line[32];

	snprintf(line, sizeof(line), "record %u", nr);
	disk_ack(line);
}

/* -- 05: a length is all that says whether a record is whole ------------------------------- */

static void prepare_zeros(bool fixed)
{
	(void)fixed;
	disk_put("log", 0, 8192, true);
}

static int append_to_zeros(bool fixed)
{
	int fd = disk_open("log", O_WRONLY);
	struct log_record record;
	off_t off = 0;

	(void)fixed;
	for (uint32_t nr = 1; nr <= 3; nr++) {
		log_fill(&record, nr, 1200, LOG_SEED);
		disk_write(fd, &record, log_bytes(&record), off);
		off += (off_t)log_bytes(&record);
		disk_sync(fd);
		log_ack(nr);
	}
	disk_close(fd);
	return 0;
}

static int check_sums(bool fixed, const char *acks)
{
	struct log_reader reader = { .name = "log", .sums = fixed, .seed = LOG_SEED };

	return log_check(&reader, log_acked(acks));
}

/* -- 06: the next record goes behind a torn one -------------------------------------------- */

static void prepare_two_records(bool fixed)
{
	int fd = disk_open("log", O_WRONLY | O_CREAT);
	struct log_record record;

	(void)fixed;
	for (uint32_t nr = 1; nr <= 2; nr++) {
		log_fill(&record, nr, 300, LOG_SEED);
		disk_append(fd, &record, log_bytes(&record));
	}
	disk_sync(fd);
	disk_close(fd);
}

/* Opens the log as the program does when it starts: at its end, which is not where its records end.
 */
static int open_to_append(bool fixed, uint32_t *ret_nr)
{
	struct log_reader reader = { .name = "log", .sums = true, .seed = LOG_SEED };
	int fd = disk_open("log", O_RDWR | O_APPEND);
	struct log_record record;

	*ret_nr = 1;
	while (log_next(&reader, &record))
		(*ret_nr)++;
	if (fixed && ftruncate(fd, reader.off) == 0)
		disk_sync(fd);
	return fd;
}

static void append_in_two(int fd, uint32_t nr)
{
	struct log_record record;

	log_fill(&record, nr, 300, LOG_SEED);
	disk_append(fd, &record.head, sizeof(record.head));
	disk_append(fd, record.payload, record.head.len);
	disk_sync(fd);
}

static int append_records(bool fixed)
{
	uint32_t nr;
	int fd = open_to_append(fixed, &nr);

	for (uint32_t end = nr + 2; nr < end; nr++) {
		append_in_two(fd, nr);
		log_ack(nr);
	}
	disk_close(fd);
	return 0;
}

/* The program is started again and appends one more: it must be there with all others. */
static int check_after_append(bool fixed, const char *acks)
{
	struct log_reader reader = { .name = "log", .sums = true, .seed = LOG_SEED };
	uint32_t nr;
	int fd = open_to_append(fixed, &nr);

	append_in_two(fd, nr);
	disk_close(fd);
	return log_check(&reader, nr > log_acked(acks) ? nr : log_acked(acks));
}

/* -- 13: zeros are a valid record ---------------------------------------------------------- */

#define GROWTH 4096

static uint32_t zero_seed(bool fixed)
{
	return fixed ? LOG_SEED : 0;
}

static void prepare_empty(bool fixed)
{
	(void)fixed;
	disk_put("log", 0, 0, true);
}

/* The file grows by a page at a time, and is cut to its records when it is closed. */
static int append_grown(bool fixed)
{
	int fd = disk_open("log", O_RDWR);
	struct log_record record;
	off_t off = 0;

	for (uint32_t nr = 1; nr <= 4; nr++) {
		if (nr == 1 && ftruncate(fd, GROWTH) < 0)
			return 1;
		log_fill(&record, nr, 500, zero_seed(fixed));
		disk_write(fd, &record, log_bytes(&record), off);
		off += (off_t)log_bytes(&record);
		if (nr % 2 == 0) {
			disk_sync(fd);
			log_ack(nr);
		}
	}
	if (ftruncate(fd, off) < 0)
		return 1;
	disk_sync(fd);
	disk_close(fd);
	return 0;
}

static int check_grown(bool fixed, const char *acks)
{
	struct log_reader reader = { .name = "log", .sums = true, .seed = zero_seed(fixed) };

	return log_check(&reader, log_acked(acks));
}

/* -- 14: the bytes are still the program's ------------------------------------------------- */

static int print_lines(bool fixed)
{
	FILE *log = fopen("log", "a");

	if (!log)
		return 1;
	for (uint32_t nr = 1; nr <= 2; nr++) {
		fprintf(log, "line %u\n", nr);
		if (fixed && fflush(log) != 0)
			return 1;
		disk_sync(fileno(log));
		log_ack(nr);
	}
	return fclose(log) != 0;
}

static int check_lines(bool fixed, const char *acks)
{
	char text[64] = "", line[32];

	(void)fixed;
	disk_read("log", text, sizeof(text) - 1);
	for (uint32_t nr = 1; nr <= log_acked(acks); nr++) {
		snprintf(line, sizeof(line), "line %u\n", nr);
		if (!strstr(text, line))
			return disk_bad("line %u was acknowledged, and is not there", nr);
	}
	return 0;
}

const struct program programs_of_logs[] = {
	{ "05-checksum", "a log's records have a length and no checksum", prepare_zeros,
	  append_to_zeros, check_sums, IN_ALL, NULL },
	{ "06-tail", "a torn tail is not cut off before the next append", prepare_two_records,
	  append_records, check_after_append, IN_ALL, NULL },
	{ "13-zeros", "a record of zeros passes the checksum", prepare_empty, append_grown,
	  check_grown, IN_ALL, NULL },
	{ "14-stdio", "bytes are synced before they are written", prepare_empty, print_lines,
	  check_lines, IN_ALL, NULL },
	{ NULL },
};
