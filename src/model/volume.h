/* SPDX-License-Identifier: MIT */
/*
 * volume.h - a file system that knows what a crash may leave of it.
 *
 * Every file and name is kept twice: as programs see it (the cache) and as the
 * disk has it. What was done and is not yet on the disk stands in between as a
 * list of pending ops, in the order in which it was done:
 *
 *	write, create, rename ...  --> cache, and a pending op
 *	sync                       --> the ops that the profile says, to the disk
 *	crash                      --> a legal choice of the rest, to the disk;
 *	                               then the cache begins anew from the disk
 *
 * Invariants:
 *  M1. the cache is the disk with all pending ops applied in order, but for
 *      inodes that lie (a sync of theirs failed: clean in the cache, not on disk).
 *  M2. what an op requires stands before it in the list; a set of ops that
 *      holds with each op all that it requires is one that a crash may leave.
 *  M3. a data op holds a version of a whole page, and a mask of the sectors it
 *      changed; of each sector the last version applied is what counts.
 *  M4. an inode lives as long as a name, an op or an open handle holds it.
 *
 * Writes are split at the sector that a disk writes whole (512 or 4096 bytes).
 * Times, permissions and extended attributes are not modelled: they live and
 * die with their inode.
 */
#ifndef SLUICE_MODEL_VOLUME_H
#define SLUICE_MODEL_VOLUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "model/page.h"
#include "model/profile.h"
#include "model/random.h"

#define MODEL_NAME_MAX	  255
#define MODEL_FILE_MAX	  ((uint64_t)1 << 34)
#define MODEL_PENDING_MAX 16384

struct model_inode;
struct model_volume;

/* A file's bytes in one of its two lives; beyond nr, and where NULL, zeros. */
struct model_content {
	uint64_t size;
	struct model_page **page;
	uint64_t nr;
};

/* A name in a directory, on either side. */
struct model_entry {
	struct model_entry *hash_next;
	TAILQ_ENTRY(model_entry) in_dir;
	struct model_inode *dir;
	struct model_inode *cache; /* what it names now, or NULL */
	struct model_inode *disk;
	struct model_inode *chosen; /* of the choice, where ops name the entry */
	uint64_t position;	    /* in its directory, for readdir */
	uint64_t hash;
	uint32_t ops; /* pending ones that name it */
	uint64_t pass;
	uint16_t len;
	char name[];
};

enum model_kind {
	MODEL_DATA,   /* sectors of one page */
	MODEL_SIZE,   /* the size, by a write at the end or by truncation */
	MODEL_NAME,   /* entry names inode from now on (NULL: nothing) */
	MODEL_RENAME, /* entry names inode, source names other */
};

enum model_op_flag {
	MODEL_TRUNCATION = 1 << 0, /* SIZE: asked for; metadata of its own */
	MODEL_REPLACES = 1 << 1,   /* a name that named another file */
	MODEL_WANTED = 1 << 2,	   /* by the pass that runs */
};

struct model_op {
	TAILQ_ENTRY(model_op) all;
	TAILQ_ENTRY(model_op) of_inode; /* DATA, SIZE */
	TAILQ_ENTRY(model_op) of_names; /* NAME, RENAME */
	uint64_t seq;
	uint64_t group; /* the call that made it */
	uint8_t kind;
	uint8_t flags;
	uint8_t sectors; /* DATA: those changed */
	uint8_t grown;	 /* DATA: those of them that end beyond the old size */
	uint8_t kept;	 /* of the choice: sectors, or 1 */
	struct model_inode *inode;
	union {
		struct {
			struct model_page *page;
			uint64_t idx;
		} data;
		struct {
			uint64_t before;
			uint64_t after;
		} size;
		struct {
			struct model_entry *entry;
			struct model_entry *source;
			struct model_inode *other;
			struct model_op *twin; /* the other half of a rename that was split */
		} name;
	};
};

TAILQ_HEAD(model_ops, model_op);
TAILQ_HEAD(model_entries, model_entry);
TAILQ_HEAD(model_inodes, model_inode);

struct model_attribute {
	struct model_attribute *next;
	size_t len;
	char *name; /* its bytes follow the name's end */
};

struct model_inode {
	TAILQ_ENTRY(model_inode) all;
	struct model_ops ops;	      /* pending DATA and SIZE */
	struct model_entries entries; /* of a directory */
	uint64_t number;
	uint32_t mode; /* S_IFMT and permissions */
	uint32_t holders;
	uint32_t links;
	int64_t changed_ns; /* the caller's, as are the attributes */
	struct model_attribute *attributes;
	char *target;		    /* of a symbolic link */
	struct model_inode *parent; /* of a directory that has a name in the cache */
	struct model_content cache;
	struct model_content disk;
	uint64_t next_position;
	uint64_t flushed_seq; /* sizes up to here go to disk with the next commit */
	bool truncated;	      /* since it was opened */
	bool lies;
	void *owner; /* the caller's */

	/* a pass over the ops */
	uint64_t pass;
	uint64_t floor; /* a truncation to here was lost, or is required */
	bool sizes;
};

struct model_volume_opts {
	const struct model_profile *profile; /* NULL: posix */
	uint32_t sector;		     /* 512 or 4096; 0: 512 */
	uint64_t bytes_max;		     /* of all files; 0: no bound */
	uint32_t pending_max;		     /* then the oldest go to the disk; 0: 16384 */
};

struct model_volume {
	struct model_volume_opts opts;
	const struct model_profile *profile;
	struct model_pages pages;
	struct model_inodes inodes;
	struct model_inode *root;
	struct model_entry **table;
	uint32_t table_mask;
	uint32_t entries_nr;
	uint64_t pages_used; /* by the cache */
	uint64_t next_number;

	struct model_ops ops;
	struct model_ops names; /* the NAME and RENAME among them */
	struct model_op *free_ops;
	uint32_t pending;
	uint32_t truncations;
	uint32_t flushes; /* inodes with a flushed_seq */
	uint64_t seq;
	uint64_t group;
	uint64_t pass;
	uint64_t noise; /* of a crash, where the profile says any_bytes; 0: zeros */
};

/* ---- volume.c: making, holding, letting go ------------------------------------------ */

/* 0, -EINVAL for an odd sector, -ENOMEM. */
int model_volume_create(const struct model_volume_opts *opts, struct model_volume **ret_volume);
void model_volume_destroy(struct model_volume *volume);

struct model_inode *model_inode_create(struct model_volume *volume, uint32_t mode);
static inline struct model_inode *model_inode_hold(struct model_inode *inode)
{
	if (inode)
		inode->holders++;
	return inode;
}
void model_inode_drop(struct model_volume *volume, struct model_inode *inode);

/* A pending op at the end of the list, holding inode; NULL without memory. */
struct model_op *model_op_add(struct model_volume *volume, uint8_t kind, struct model_inode *inode);
/* Forgets an op, whatever became of it. */
void model_op_forget(struct model_volume *volume, struct model_op *op);

/* ---- content.c: bytes of one life --------------------------------------------------- */

struct model_page *model_content_page(const struct model_content *content, uint64_t idx);
/* Makes room for a page number. */
int model_content_reserve(struct model_content *content, uint64_t idx);
/* Lets go of what lies beyond size, and zeros the rest of its last page. */
int model_content_cut(struct model_volume *volume, struct model_content *content, uint64_t size);
void model_content_clear(struct model_volume *volume, struct model_content *content);
/* to becomes a version of from, sharing its pages. */
int model_content_copy(struct model_volume *volume, struct model_content *to,
		       const struct model_content *from);
uint64_t model_content_read(const struct model_content *content, uint64_t off, void *buf,
			    uint64_t len);

/* ---- data.c: files ------------------------------------------------------------------ */

/* Bytes read from the cache. */
uint64_t model_read(const struct model_inode *inode, uint64_t off, void *buf, uint64_t len);
/* ... past the cache, as a direct read does. -ENOMEM, or bytes. */
int64_t model_read_disk(struct model_volume *volume, const struct model_inode *inode, uint64_t off,
			void *buf, uint64_t len);
/* 0, -ENOSPC, -EFBIG or -ENOMEM; *ret_done: bytes written nevertheless. */
int model_write(struct model_volume *volume, struct model_inode *inode, uint64_t off,
		const void *buf, uint64_t len, uint64_t *ret_done);
/* The same, but the device put it at the page number astray. */
int model_write_astray(struct model_volume *volume, struct model_inode *inode, uint64_t off,
		       const void *buf, uint64_t len, uint64_t astray);
int model_truncate(struct model_volume *volume, struct model_inode *inode, uint64_t size);
/* The last writer closes: what truncation and a rewrite left may be flushed. */
void model_close(struct model_volume *volume, struct model_inode *inode);
/* The cache of an inode that lies is dropped: it reads as the disk is. */
int model_drop_cache(struct model_volume *volume, struct model_inode *inode);
/* Flips a bit, in the cache and on the disk. */
int model_rot(struct model_volume *volume, struct model_inode *inode, uint64_t bit);

/* ---- name.c: directories ------------------------------------------------------------ */

/* The entry that names something now, or NULL. */
struct model_entry *model_lookup(struct model_volume *volume, struct model_inode *dir,
				 const char *name, size_t len);
/* Names inode (held by a caller or new) in dir; the name is free. */
int model_add(struct model_volume *volume, struct model_inode *dir, const char *name, size_t len,
	      struct model_inode *inode);
int model_remove(struct model_volume *volume, struct model_entry *entry);
/* What entry names goes to dir under name, over what is there; exchange: and back. */
int model_rename(struct model_volume *volume, struct model_entry *source, struct model_inode *dir,
		 const char *name, size_t len, bool exchange);
/* The first entry of dir from a position on that names something, or NULL. */
struct model_entry *model_entry_from(struct model_inode *dir, uint64_t position);
/* Frees an entry that nothing needs any more. */
void model_entry_settle(struct model_volume *volume, struct model_entry *entry);

/* ---- sync.c: what becomes durable --------------------------------------------------- */

/* Up to which op things have been done. */
static inline uint64_t model_now(const struct model_volume *volume)
{
	return volume->seq;
}

/* fsync of a file or directory, fdatasync with data_only; of what was done up to seq. */
int model_sync(struct model_volume *volume, struct model_inode *inode, bool data_only,
	       uint64_t seq);
/* A write with O_DSYNC: the ops after `after` and what they need. */
int model_sync_write(struct model_volume *volume, struct model_inode *inode, uint64_t after);
int model_sync_all(struct model_volume *volume);
/* The same, of what was done up to seq. */
int model_sync_until(struct model_volume *volume, uint64_t seq);
/* The oldest ops go to the disk until no more than nr are pending. */
int model_write_back(struct model_volume *volume, uint32_t nr);
/* A sync failed: some of the data is clean in the cache, and never reaches the disk. */
void model_lose(struct model_volume *volume, struct model_inode *inode,
		struct model_random *random);
/* Puts an op, or the chosen part of it, on the disk and forgets it. */
int model_op_settle(struct model_volume *volume, struct model_op *op, unsigned kept);

/* ---- require.c: what one op needs of others ----------------------------------------- */

/* Wants what the ops wanted require. */
void model_want_required(struct model_volume *volume);
/* Keeps of the ops kept only those whose requirements are kept too; false if
 * that was not all of them. */
bool model_keep_legal(struct model_volume *volume);

/* ---- choice.c: what a crash leaves -------------------------------------------------- */

enum model_class {
	MODEL_ALL,    /* nothing is lost */
	MODEL_MIN,    /* everything is that may be */
	MODEL_PREFIX, /* the first nr elements survive: what kill -9 shows */
	MODEL_OMIT1,  /* the element nr is lost, and what requires it */
	MODEL_ONLY1,  /* the element nr survives, with what it requires */
	MODEL_RANDOM, /* from the seed nr */
};

struct model_choice {
	enum model_class class;
	uint64_t nr;
};

/* Elements that a choice is about: an op, or a sector of a data op. */
uint64_t model_elements(const struct model_volume *volume);
/* The op with an element of a number, and its number within that op; NULL: there are fewer. */
struct model_op *model_op_with(struct model_volume *volume, uint64_t *nr);
/* Marks the ops that survive; the volume goes on as it was. */
void model_choose(struct model_volume *volume, const struct model_choice *choice);
/* ... all but the elements of these numbers, and what requires them. */
void model_choose_lost(struct model_volume *volume, const uint64_t *elements, size_t nr);
/* Finds what the marked ops make of each name that ops name: see model_entry_chosen(). */
void model_choose_names(struct model_volume *volume);
static inline struct model_inode *model_entry_chosen(const struct model_entry *entry)
{
	return entry->ops ? entry->chosen : entry->disk;
}
/* Whether the ops marked are a legal set. */
bool model_choice_is_legal(struct model_volume *volume);
/* What the marked ops would leave. */
struct model_inode *model_chosen_name(struct model_volume *volume, struct model_inode *dir,
				      const char *name);
uint64_t model_chosen_size(const struct model_inode *inode);
uint64_t model_chosen_read(const struct model_inode *inode, uint64_t off, void *buf, uint64_t len);
/* The crash: the marked ops reach the disk, the others are gone, the cache is the disk. */
int model_crash(struct model_volume *volume);

#endif
