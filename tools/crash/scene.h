/*
 * scene.h: short stories about files, each crashed right after its last step: played on a real file
 * system and on the model, then looked at.
 *
 * What is seen is a letter for each file looked at: O the old content, N the new one, E empty, A
 * the old content with the new one appended, M anything else, - no such file.
 */
#ifndef SLUICE_TOOLS_CRASH_SCENE_H
#define SLUICE_TOOLS_CRASH_SCENE_H

#include <stddef.h>

#define SCENE_BYTES    8192 /* of one content */
#define SCENE_LOOKS    4
#define SCENE_SEEN     (SCENE_LOOKS + 1)
#define SCENE_SEEN_MAX 64

struct scene {
	const char *before; /* steps whose outcome is durable */
	const char *steps;
	const char *looks; /* files, separated by blanks */
};

/* Ended by one without steps. */
extern const struct scene scenes[];

enum deed {
	DEED_MKDIR,
	DEED_OLD, /* a new file with the old content */
	DEED_NEW, /* the new content from the start of a file, which is made if it is not there */
	DEED_REWRITE, /* truncated, then the new content, then closed */
	DEED_APPEND,  /* the new content at the end */
	DEED_DIRECT,  /* the same past the cache */
	DEED_DSYNC,   /* DEED_NEW with O_DSYNC */
	DEED_FSYNC,
	DEED_FDATASYNC,
	DEED_RANGE, /* sync_file_range(2) of all, and wait */
	DEED_GROW,  /* truncate to two contents */
	DEED_RENAME,
	DEED_LINK,
	DEED_UNLINK,
};

struct step {
	enum deed deed;
	char name[16];
	char name2[16];
};

/* Takes the next step off a text such as "new t; rename t f; fsync .": 1, 0 at its end, -EINVAL. */
int scene_step(const char **text, struct step *ret_step);
/* The next of the files looked at: 1, or 0 at the end. */
int scene_look(const char **looks, char ret_name[16]);
/* The letter of a content. */
char scene_letter(const char *content, size_t len);

/* Plays steps in an open directory: 0, or -errno. */
int scene_play(int dir_fd, const char *steps);
/* What is there now, a letter a file. */
void scene_see(int dir_fd, const char *looks, char ret_seen[SCENE_SEEN]);

/* All that a profile allows a crash to leave; seen[0] is the least. */
struct scene_answer {
	char seen[SCENE_SEEN_MAX][SCENE_SEEN];
	size_t nr;
};

/* 0, -ENOMEM, or -EINVAL for a profile that is not known. */
int scene_model(const struct scene *scene, const char *profile, struct scene_answer *ret_answer);

#endif
