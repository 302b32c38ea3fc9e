/* plan.c: where connections go; see plan.h. */
#include "tools/proxy/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sluice/ring.h>

#define LINE_BYTES 1024
#define LOOKUP_NS  INT64_C(10000000000)
#define WEIGHT_MAX 1000
#define WANT	   "want 127.0.0.1:8000, [::1]:8000, name:8000 or unix:PATH, and perhaps ,weight=N"
#define WANT_ROUTE "want NAME=UPSTREAM, NAME a host name or *.DOMAIN"

/* What a plan is made with. */
struct draft {
	struct proxy_plan *plan;
	const struct proxy_plan *before;
	const char *user; /* who opens what is opened anew, if not who began; NULL: the same */
	struct sl_ring *ring;
	struct sl_sock_resolver *resolver;
	const char *where; /* what messages name: an operand, --sni, a line of the file */
};

/* ---- states ------------------------------------------------------------------------------ */

static struct proxy_state *find_state(const struct proxy_plan *plan, const char *name)
{
	for (unsigned g = 0; plan && g < plan->nr; g++) {
		for (unsigned i = 0; i < plan->group[g]->nr; i++) {
			struct proxy_state *state = plan->group[g]->upstream[i].state;

			if (strcmp(state->name, name) == 0)
				return state;
		}
	}
	return NULL;
}

static struct proxy_state *get_state(const struct draft *draft, const char *name)
{
	struct proxy_state *state = find_state(draft->plan, name);

	if (!state)
		state = find_state(draft->before, name);
	if (!state) {
		state = calloc(1, sizeof(*state) + strlen(name) + 1);
		if (!state)
			return NULL;
		memcpy(state->name, name, strlen(name) + 1);
	}
	__atomic_fetch_add(&state->refs, 1, __ATOMIC_RELAXED);
	return state;
}

/* The last to let go of it frees it: what others wrote before is seen (acquire and release). */
static bool is_last(uint32_t *refs)
{
	return __atomic_sub_fetch(refs, 1, __ATOMIC_ACQ_REL) == 0;
}

static void put_upstream(struct proxy_upstream *upstream)
{
	if (upstream->state && is_last(&upstream->state->refs))
		free(upstream->state);
	free(upstream->addrs);
}

struct proxy_plan *proxy_plan_get(struct proxy_plan *plan)
{
	__atomic_fetch_add(&plan->refs, 1, __ATOMIC_RELAXED);
	return plan;
}

void proxy_plan_put(struct proxy_plan *plan)
{
	if (!plan || !is_last(&plan->refs))
		return;
	for (unsigned g = 0; g < plan->nr; g++) {
		for (unsigned i = 0; i < plan->group[g]->nr; i++)
			put_upstream(&plan->group[g]->upstream[i]);
		free(plan->group[g]->name);
		free(plan->group[g]);
	}
	free(plan->group);
	if (plan->log_fd > STDERR_FILENO)
		close(plan->log_fd);
	free(plan);
}

/* ---- one upstream ------------------------------------------------------------------------ */

static void on_looked_up(struct sl_sock_lookup *req)
{
	*(bool *)req->user = true;
}

/* Return: how many addresses a name has; -errno. */
static int64_t look_up(struct draft *draft, const char *text, struct sl_sock_lookup *req)
{
	bool over = false;
	int err;

	if (!draft->ring) {
		err = sl_ring_open(NULL, &draft->ring);
		if (err == 0)
			err = sl_sock_resolver_create(draft->ring, NULL, &draft->resolver);
		if (err)
			return err;
	}
	*req = (struct sl_sock_lookup){ .text = text, .done = on_looked_up, .user = &over };
	req->deadline_ns = sl_ring_clock(draft->ring) + LOOKUP_NS;
	err = sl_sock_resolve(draft->resolver, req);
	while (err >= 0 && !over)
		err = sl_ring_run(draft->ring, 0);
	return err < 0 ? err : req->res;
}

static bool has_port(const struct sl_sock_addr *addr)
{
	if (addr->any.sa_family == AF_INET)
		return ((const struct sockaddr_in *)&addr->any)->sin_port;
	if (addr->any.sa_family == AF_INET6)
		return ((const struct sockaddr_in6 *)&addr->any)->sin6_port;
	return true;
}

static int fail_upstream(const struct draft *draft, const char *text, int64_t err)
{
	char what[LINE_BYTES + 80];

	snprintf(what, sizeof(what), "%s%s%s", draft->where ? draft->where : "",
		 draft->where ? ": " : "", text);
	switch (-err) {
	case EINVAL:
		return cli_usage(what, "is no upstream; " WANT);
	case ENOENT:
		return cli_fail(CLI_MACHINE, what, "nobody knows this name",
				"see `getent hosts`, or give an address");
	default:
		return cli_fail_errno(what, (int)err, NULL);
	}
}

static int find_addrs(struct draft *draft, const char *text, struct proxy_upstream *ret)
{
	struct sl_sock_lookup req;
	struct sl_sock_addr addr;
	const struct sl_sock_addr *found = &addr;
	int64_t nr = sl_sock_addr_parse(text, &addr);

	if (nr == 0) {
		nr = 1;
	} else if (nr == -ENOENT) {
		nr = look_up(draft, text, &req);
		found = req.addrs;
	}
	if (nr > 0 && !has_port(found))
		nr = -EINVAL;
	if (nr == 0)
		nr = -ENOENT;
	if (nr < 0)
		return fail_upstream(draft, text, nr);
	ret->addrs = calloc((size_t)nr, sizeof(*ret->addrs));
	if (!ret->addrs)
		return fail_upstream(draft, text, -ENOMEM);
	memcpy(ret->addrs, found, (size_t)nr * sizeof(*found));
	ret->nr = (uint32_t)nr;
	return CLI_DONE;
}

/* "ADDRESS,weight=3": the weight, and the text cut short before it; 0: malformed. */
static uint32_t cut_weight(char *text)
{
	char *at = strrchr(text, ','), *end;
	unsigned long weight;

	if (!at)
		return 1;
	if (strncmp(at, ",weight=", 8) != 0)
		return strncmp(text, "unix:", 5) == 0 ? 1 : 0;
	weight = strtoul(at + 8, &end, 10);
	if (at[8] < '0' || at[8] > '9' || *end || weight < 1 || weight > WEIGHT_MAX)
		return 0;
	*at = '\0';
	return (uint32_t)weight;
}

static int add_upstream(struct draft *draft, struct proxy_group *group, const char *text)
{
	struct proxy_upstream *upstream = &group->upstream[group->nr];
	char copy[LINE_BYTES];
	int code;

	if (group->nr == PROXY_UPSTREAMS_MAX)
		return cli_usage(text, "is one upstream too many; at most 64 share a name");
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return fail_upstream(draft, "(a long line)", -EINVAL);
	upstream->weight = cut_weight(copy);
	if (!upstream->weight)
		return fail_upstream(draft, text, -EINVAL);
	code = find_addrs(draft, copy, upstream);
	if (code != CLI_DONE)
		return code;
	upstream->state = get_state(draft, copy);
	if (!upstream->state)
		return fail_upstream(draft, text, -ENOMEM);
	upstream->id = proxy_hash(copy, strlen(copy));
	group->nr++;
	return CLI_DONE;
}

/* ---- groups ------------------------------------------------------------------------------ */

static struct proxy_group *find_group(const struct proxy_plan *plan, const char *name)
{
	for (unsigned g = 0; g < plan->nr; g++) {
		const char *own = plan->group[g]->name;

		if (name ? own && strcmp(own, name) == 0 : !own)
			return plan->group[g];
	}
	return NULL;
}

/* NULL without memory. */
static struct proxy_group *get_group(struct proxy_plan *plan, const char *name)
{
	struct proxy_group *group = find_group(plan, name), **groups;

	if (group)
		return group;
	groups = realloc(plan->group, (plan->nr + 1) * sizeof(struct proxy_group *));
	if (!groups)
		return NULL;
	plan->group = groups;
	group = calloc(1, sizeof(*group));
	if (!group || (name && !(group->name = strdup(name)))) {
		free(group);
		return NULL;
	}
	plan->group[plan->nr++] = group;
	plan->by_name |= name != NULL;
	return group;
}

static int add(struct draft *draft, const char *name, const char *upstream)
{
	struct proxy_group *group = get_group(draft->plan, name);

	return group ? add_upstream(draft, group, upstream) :
		       cli_fail_errno(upstream, ENOMEM, NULL);
}

static int add_route(struct draft *draft, const char *text)
{
	const char *equals = strchr(text, '=');
	char name[256];
	size_t len;

	if (!equals || equals == text || equals - text >= (ptrdiff_t)sizeof(name))
		return cli_usage(draft->where ? draft->where : text, WANT_ROUTE);
	len = (size_t)(equals - text);
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		name[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
		if (!((name[i] >= 'a' && name[i] <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
		      c == '_' || c == '.' || (c == '*' && i == 0 && text[1] == '.')))
			return cli_usage(draft->where ? draft->where : text, WANT_ROUTE);
	}
	name[len] = '\0';
	return add(draft, name, equals + 1);
}

static int fail_open(const struct draft *draft, const char *path, int err)
{
	return cli_fail_errno(
		path, err,
		err == EACCES && draft->user ?
			"a reload is done as the user of --user, who needs leave for it" :
			NULL);
}

/* A line is an operand or what --sni takes; the name of a route comes before any comma. */
static int add_line(struct draft *draft, const char *line)
{
	size_t plain = strcspn(line, ",=");

	if (strncmp(line, "unix:", 5) != 0 && line[plain] == '=')
		return add_route(draft, line);
	return add(draft, NULL, line);
}

static char *trim(char *line)
{
	char *end;

	line[strcspn(line, "#")] = '\0';
	line += strspn(line, " \t\r\n");
	end = line + strlen(line);
	while (end > line && strchr(" \t\r\n", end[-1]))
		*--end = '\0';
	return line;
}

static int add_file(struct draft *draft, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[LINE_BYTES], where[LINE_BYTES];
	int code = CLI_DONE;

	if (!file)
		return fail_open(draft, path, errno);
	draft->where = where;
	for (unsigned nr = 1; code == CLI_DONE && fgets(line, sizeof(line), file); nr++) {
		char *text = trim(line);

		snprintf(where, sizeof(where), "%.900s:%u", path, nr);
		if (strlen(line) == sizeof(line) - 1)
			code = cli_usage(where, "is too long a line");
		else if (*text)
			code = add_line(draft, text);
	}
	if (code == CLI_DONE && ferror(file))
		code = cli_fail_errno(path, EIO, NULL);
	fclose(file);
	draft->where = NULL;
	return code;
}

static int add_all(struct draft *draft, const struct proxy_config *config)
{
	int code = CLI_DONE;

	for (unsigned i = 0; i < config->upstreams_nr && code == CLI_DONE; i++)
		code = add(draft, NULL, config->upstreams[i]);
	for (uint32_t i = 0; i < config->sni.nr && code == CLI_DONE; i++)
		code = add_route(draft, config->sni.value[i]);
	if (config->file && code == CLI_DONE)
		code = add_file(draft, config->file);
	if (code == CLI_DONE && !draft->plan->nr)
		code = cli_usage("UPSTREAM", "missing; " WANT);
	return code;
}

/* ---- the plan ---------------------------------------------------------------------------- */

static int open_log(const struct draft *draft, const char *path)
{
	if (!path)
		return CLI_DONE;
	if (strcmp(path, "-") == 0) {
		draft->plan->log_fd = STDOUT_FILENO;
		return CLI_DONE;
	}
	draft->plan->log_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return draft->plan->log_fd < 0 ? fail_open(draft, path, errno) : CLI_DONE;
}

int proxy_plan_open(const struct proxy_config *config, const struct proxy_plan *before,
		    struct proxy_plan **ret_plan)
{
	struct draft draft = { .before = before, .user = before ? config->user : NULL };
	int code;

	draft.plan = calloc(1, sizeof(*draft.plan));
	if (!draft.plan)
		return cli_fail_errno("memory", ENOMEM, NULL);
	draft.plan->refs = 1;
	draft.plan->log_fd = -1;
	code = add_all(&draft, config);
	if (code == CLI_DONE)
		code = open_log(&draft, config->access_log);
	sl_sock_resolver_destroy(draft.resolver);
	sl_ring_close(draft.ring);
	if (code == CLI_DONE)
		*ret_plan = draft.plan;
	else
		proxy_plan_put(draft.plan);
	return code;
}

/* "www.a.example": itself, then "*.a.example", "*.example", then the group without a name. */
struct proxy_group *proxy_plan_route(const struct proxy_plan *plan, const char *name)
{
	struct proxy_group *group = *name ? find_group(plan, name) : NULL;
	const char *dot = name;
	char wild[256];

	while (!group && *name && (dot = strchr(dot, '.'))) {
		snprintf(wild, sizeof(wild), "*%s", dot++);
		group = find_group(plan, wild);
	}
	return group ? group : find_group(plan, NULL);
}
