/* SPDX-License-Identifier: MIT */
/*
 * script.c - the line that replays a run: "seed=42 cut=17 faults=3,12", in any order.
 *
 * Without "faults" all that the options give strike; "faults=-" means none.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/sim/world.h"

static bool read_number(const char **at, uint64_t *ret)
{
	char *end;

	if (!isdigit((unsigned char)**at))
		return false;
	errno = 0;
	*ret = strtoull(*at, &end, 0);
	*at = end;
	return errno == 0;
}

static bool read_faults(const char **at, struct sim_script *script)
{
	script->listed = true;
	script->faults_nr = 0;
	if (**at == '-')
		return ++*at;
	do {
		if (script->faults_nr == SIM_LISTED_MAX ||
		    !read_number(at, &script->faults[script->faults_nr++]))
			return false;
	} while (*(*at)++ == ',');
	--*at;
	return true;
}

static bool read_word(const char **at, struct sim_script *script)
{
	size_t len = strcspn(*at, "=");
	const char *word = *at;

	if (!word[len])
		return false;
	*at += len + 1;
	if (len == 4 && memcmp(word, "seed", 4) == 0)
		return read_number(at, &script->seed);
	if (len == 3 && memcmp(word, "cut", 3) == 0)
		return read_number(at, &script->cut);
	if (len == 6 && memcmp(word, "faults", 6) == 0)
		return read_faults(at, script);
	return false;
}

int sim_script_read(const char *text, struct sim_script *ret_script)
{
	const char *at = text + strspn(text, " \n");

	ret_script->cut = 0;
	while (*at) {
		if (!read_word(&at, ret_script) || (*at && !strchr(" \n", *at)))
			return -EINVAL;
		at += strspn(at, " \n");
	}
	return 0;
}

struct text {
	char *buf;
	size_t bytes;
	size_t len;
};

static void put(struct text *text, const char *words)
{
	size_t left = text->len < text->bytes ? text->bytes - text->len : 0;

	text->len += (size_t)snprintf(left ? text->buf + text->len : NULL, left, "%s", words);
}

static void put_number(struct text *text, const char *before, uint64_t number)
{
	char words[32];

	put(text, before);
	snprintf(words, sizeof(words), "%llu", (unsigned long long)number);
	put(text, words);
}

int sim_script_write(const struct sim_script *script, char *buf, size_t bytes)
{
	struct text text = { buf, bytes, 0 };

	put_number(&text, "seed=", script->seed);
	if (script->cut)
		put_number(&text, " cut=", script->cut);
	for (uint32_t i = 0; script->listed && i < script->faults_nr; i++)
		put_number(&text, i ? "," : " faults=", script->faults[i]);
	if (script->listed && !script->faults_nr)
		put(&text, " faults=-");
	return text.len < bytes ? 0 : -ENOBUFS;
}

int sl_sim_repro(const struct sl_sim *sim, char *buf, size_t bytes)
{
	struct sim_script script = sim->script;

	/* What struck is what must strike again; with too many, all do. */
	script.listed = (sim->chance || sim->struck_nr) && sim->struck_nr <= SIM_LISTED_MAX;
	script.faults_nr = script.listed ? sim->struck_nr : 0;
	memcpy(script.faults, sim->struck, script.faults_nr * sizeof(script.faults[0]));
	if (!sim->cut_done)
		script.cut = 0;
	return sim_script_write(&script, buf, bytes);
}
