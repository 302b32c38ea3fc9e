/*
 * checker.c: checkers as functions of a shared object, for the tests of the explorer.
 *
 * Files are told by letters: O old content, N new, E empty, A old and new behind it, '-' none, M
 * anything else. Each is 8192 bytes of 'o' or 'n'.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES 8192

int look(const char *dir, const char *acks);
int promised(const char *dir, const char *acks);
int fine(const char *dir, const char *acks);
int bad(const char *dir, const char *acks);
int crashes(const char *dir, const char *acks);
int hangs(const char *dir, const char *acks);
int ends(const char *dir, const char *acks);
int leaks(const char *dir, const char *acks);
int spoils(const char *dir, const char *acks);

static int all_are(const char *buf, size_t len, char letter)
{
	for (size_t i = 0; i < len; i++)
		if (buf[i] != letter)
			return 0;
	return 1;
}

static char letter_of(const char *dir, const char *name)
{
	static char buf[4 * FILE_BYTES];
	char path[4096];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDONLY);
	if (fd < 0)
		return '-';
	len = read(fd, buf, sizeof(buf));
	close(fd);
	if (len == 0)
		return 'E';
	if (len == FILE_BYTES && all_are(buf, FILE_BYTES, 'o'))
		return 'O';
	if (len == FILE_BYTES && all_are(buf, FILE_BYTES, 'n'))
		return 'N';
	if (len == 2 * FILE_BYTES && all_are(buf, FILE_BYTES, 'o') &&
	    all_are(buf + FILE_BYTES, FILE_BYTES, 'n'))
		return 'A';
	return 'M';
}

static int has_acks(const char *acks)
{
	struct stat st;

	if (stat(acks, &st))
		abort();
	return st.st_size > 0;
}

/* Once anything is acknowledged: appends the letters of the files in $CRASH_FILES to $CRASH_LOG. */
int look(const char *dir, const char *acks)
{
	char names[256], line[64];
	size_t nr = 0;
	int fd;

	if (!has_acks(acks))
		return 0;
	snprintf(names, sizeof(names), "%s", getenv("CRASH_FILES"));
	for (char *name = strtok(names, " "); name; name = strtok(NULL, " "))
		line[nr++] = letter_of(dir, name);
	line[nr++] = '\n';
	fd = open(getenv("CRASH_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0600);
	if (fd < 0 || write(fd, line, nr) != (ssize_t)nr)
		abort();
	close(fd);
	return 0;
}

/* An ack "NAME LETTERS" promises that the file NAME is one of the letters. */
int promised(const char *dir, const char *acks)
{
	FILE *stream = fopen(acks, "r");
	char name[64], letters[16], line[128];
	int broken = 0;

	if (!stream)
		abort();
	while (fgets(line, sizeof(line), stream)) {
		char letter;

		if (sscanf(line, "%63s %15s", name, letters) != 2)
			continue;
		letter = letter_of(dir, name);
		if (!strchr(letters, letter)) {
			printf("%s is %c, promised was %s\n", name, letter, letters);
			broken = 1;
		}
	}
	fclose(stream);
	return broken;
}

int fine(const char *dir, const char *acks)
{
	(void)dir;
	(void)acks;
	return 0;
}

int bad(const char *dir, const char *acks)
{
	(void)dir;
	(void)acks;
	fprintf(stderr, "never content\n");
	return 3;
}

int crashes(const char *dir, const char *acks)
{
	(void)dir;
	(void)acks;
	raise(SIGSEGV);
	return 0;
}

int hangs(const char *dir, const char *acks)
{
	(void)dir;
	(void)acks;
	for (;;)
		pause();
}

int ends(const char *dir, const char *acks)
{
	(void)dir;
	(void)acks;
	exit(0);
}

/* A process in a session of its own, whose id it writes to $CRASH_LOG. */
int leaks(const char *dir, const char *acks)
{
	char line[32];
	int fd;

	(void)dir;
	(void)acks;
	if (fork() != 0)
		return 0;
	setsid();
	if (fork() != 0)
		_exit(0);
	fd = open(getenv("CRASH_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0600);
	snprintf(line, sizeof(line), "%d\n", (int)getpid());
	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		_exit(1);
	for (;;)
		pause();
}

/* Changes the state in every way, after it has looked. */
int spoils(const char *dir, const char *acks)
{
	char path[4096];
	int fd, answer = look(dir, acks);

	snprintf(path, sizeof(path), "%s/f", dir);
	fd = open(path, O_RDWR);
	if (fd >= 0 && pwrite(fd, "spoilt", 6, 0) == 6)
		close(fd);
	snprintf(path, sizeof(path), "%s/left", dir);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/left/locked", dir);
	mkdir(path, 0);
	snprintf(path, sizeof(path), "%s/left", dir);
	chmod(path, 0);
	return answer;
}
