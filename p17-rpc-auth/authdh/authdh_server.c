/* authdh_server.c - the table of conversations, under one lock, which is held
 * for a few comparisons: exponentiation and DES are done without it.
 *
 * A nickname is an entry of the table and, above that, how often the entry was
 * given away; the count begins at random, so that a nickname of the server
 * before this one is not taken for one of ours. */
#include "p17-rpc-auth/authdh/authdh_server.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "p17-rpc-auth/authdh/authdh_cred.h"
#include "p17-rpc-auth/authdh/floor.h"

enum { CONVERSATIONS = 256, MAX_WINDOW_S = 300 };

#define SECOND INT64_C(1000000)

struct conversation {
	uint32_t nickname; /* of now, or of the next one */
	bool is_used;
	size_t user; /* index in publics */
	uint8_t key[DH_DES];
	int64_t window_us;
	int64_t last_us;  /* timestamp of the latest call */
	uint64_t used_at; /* the higher, the later */
};

/* What is known of each public key. */
struct user {
	bool has_common;
	uint8_t common[DH_DES];
	int64_t floor_us; /* conversations begin after that */
};

struct authdh_server {
	struct authdh_server_options options;
	struct keys_entry secret;
	struct rpc_auth_flavor flavor;
	struct floors *floors; /* NULL: none */
	pthread_mutex_t lock;  /* of all below */
	struct user *users;
	struct conversation *table;
	size_t used;
	uint64_t uses; /* of all conversations */
};

static int64_t read_clock(void *arg)
{
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * SECOND + now.tv_nsec / 1000;
}

/* ---- the table, with the lock held ---- */

static struct conversation *find(struct authdh_server *server, size_t user,
				 const uint8_t key[DH_DES])
{
	for (size_t i = 0; i < server->options.conversations; i++) {
		struct conversation *c = &server->table[i];

		if (c->is_used && c->user == user &&
		    memcmp(c->key, key, DH_DES) == 0)
			return c;
	}
	return NULL;
}

static struct conversation *find_nickname(struct authdh_server *server,
					  uint32_t nickname)
{
	struct conversation *c =
		&server->table[nickname % server->options.conversations];

	return c->is_used && c->nickname == nickname ? c : NULL;
}

static void forget(struct authdh_server *server, struct conversation *c)
{
	struct user *user = &server->users[c->user];

	if (user->floor_us < c->last_us)
		user->floor_us = c->last_us;
	c->is_used = false;
	/* Another nickname in the same entry; where the numbers end, they
	 * begin anew at the entry's own. */
	if (UINT32_MAX - c->nickname < server->options.conversations)
		c->nickname %= (uint32_t)server->options.conversations;
	else
		c->nickname += (uint32_t)server->options.conversations;
	server->used--;
}

/* A free entry: where there is none, of the conversation that has been silent
 * for longest, of this user's if he has more than his share. */
static struct conversation *make_room(struct authdh_server *server, size_t user)
{
	struct conversation *oldest = NULL, *own = NULL;
	size_t n = server->options.conversations, n_own = 0;

	for (size_t i = 0; i < n; i++) {
		struct conversation *c = &server->table[i];

		if (!c->is_used)
			continue;
		if (!oldest || c->used_at < oldest->used_at)
			oldest = c;
		if (c->user != user)
			continue;
		n_own++;
		if (!own || c->used_at < own->used_at)
			own = c;
	}
	if (own && n_own > n / 8)
		forget(server, own);
	else if (oldest && server->used == n)
		forget(server, oldest);
	for (size_t i = 0; i < n; i++)
		if (!server->table[i].is_used)
			return &server->table[i];
	return NULL;
}

/* ---- a call ---- */

static bool is_in_window(const struct authdh_server *server, int64_t time_us,
			 int64_t window_us)
{
	int64_t now = server->options.now_us(server->options.arg);

	return time_us >= now - window_us && time_us <= now + window_us;
}

/* Of the server and this user. Returns 0 or -EBADMSG: no good public key. */
static int find_common(struct authdh_server *server, size_t index,
		       uint8_t key[DH_DES])
{
	const uint8_t *public = server->options.publics->entries[index].key;
	struct user *user = &server->users[index];
	uint8_t common[DH_KEY];
	int64_t floor_us = 0;
	bool is_known;
	int error;

	pthread_mutex_lock(&server->lock);
	is_known = user->has_common;
	memcpy(key, user->common, DH_DES);
	pthread_mutex_unlock(&server->lock);
	if (is_known)
		return 0;
	error = dh_common(server->secret.key, public, common);
	if (error)
		return error;
	dh_des_key(common, key);
	dh_wipe(common, sizeof(common));
	if (server->floors)
		floor_us = floor_get(server->floors, public);
	pthread_mutex_lock(&server->lock);
	if (!user->has_common) {
		memcpy(user->common, key, DH_DES);
		user->floor_us = floor_us;
		user->has_common = true;
	}
	pthread_mutex_unlock(&server->lock);
	return 0;
}

/* Begin, or go on, with a call that names its key. */
static enum auth_stat take_fullname(struct authdh_server *server, size_t user,
				    const uint8_t key[DH_DES], int64_t time_us,
				    int64_t window_us, uint32_t *nickname)
{
	enum auth_stat why = AUTH_REJECTEDVERF;
	struct conversation *c;

	pthread_mutex_lock(&server->lock);
	c = find(server, user, key);
	if (c ? time_us > c->last_us : time_us > server->users[user].floor_us) {
		if (!c) {
			c = make_room(server, user);
			c->is_used = true;
			c->user = user;
			memcpy(c->key, key, DH_DES);
			server->used++;
		}
		c->window_us = window_us;
		c->last_us = time_us;
		c->used_at = ++server->uses;
		*nickname = c->nickname;
		why = AUTH_OK;
	}
	pthread_mutex_unlock(&server->lock);
	return why;
}

static enum auth_stat verify_fullname(struct authdh_server *server,
				      const struct authdh_cred *cred,
				      size_t *user, struct rpc_verifier *verf)
{
	const struct keys *publics = server->options.publics;
	const struct keys_entry *entry = keys_find(publics, cred->name);
	uint8_t common[DH_DES], key[DH_DES];
	uint32_t window_s = 0, nickname = 0;
	enum auth_stat why;
	int64_t time_us = 0;

	if (!entry)
		return AUTH_BADCRED;
	*user = (size_t)(entry - publics->entries);
	if (find_common(server, *user, common) ||
	    authdh_cred_open_fullname(cred, common, key, &time_us, &window_s))
		return AUTH_BADCRED;
	if (window_s > server->options.max_window_s)
		window_s = server->options.max_window_s;
	if (!is_in_window(server, time_us, window_s * SECOND))
		return AUTH_REJECTEDVERF;
	why = take_fullname(server, *user, key, time_us, window_s * SECOND,
			    &nickname);
	/* Before it is served: we may be killed while it is. */
	if (why == AUTH_OK && server->floors &&
	    floor_raise(server->floors, entry->key, time_us))
		why = AUTH_FAILED;
	if (why == AUTH_OK)
		authdh_cred_seal_reply(verf, key, time_us, nickname);
	return why;
}

static enum auth_stat verify_nickname(struct authdh_server *server,
				      const struct authdh_cred *cred,
				      size_t *user, struct rpc_verifier *verf)
{
	enum auth_stat why = AUTH_REJECTEDCRED;
	struct conversation *c, before;
	int64_t time_us = 0;

	pthread_mutex_lock(&server->lock);
	c = find_nickname(server, cred->nickname);
	if (c)
		before = *c;
	pthread_mutex_unlock(&server->lock);
	if (!c)
		return AUTH_REJECTEDCRED;
	if (authdh_cred_open_nickname(cred, before.key, &time_us))
		return AUTH_BADVERF;
	if (!is_in_window(server, time_us, before.window_us))
		return AUTH_REJECTEDVERF;
	*user = before.user;
	pthread_mutex_lock(&server->lock);
	/* Another thread may have been here meanwhile, or forgotten it. */
	c = find_nickname(server, cred->nickname);
	if (c && time_us <= c->last_us) {
		why = AUTH_REJECTEDVERF;
	} else if (c) {
		c->last_us = time_us;
		c->used_at = ++server->uses;
		why = AUTH_OK;
	}
	pthread_mutex_unlock(&server->lock);
	if (why == AUTH_OK)
		authdh_cred_seal_reply(verf, before.key, time_us,
				       cred->nickname);
	return why;
}

static enum auth_stat verify(void *state, const struct rpc_call *call,
			     const struct rpc_peer *peer,
			     struct rpc_identity *who,
			     struct rpc_verifier *verf)
{
	struct authdh_server *server = state;
	struct authdh_cred cred;
	enum auth_stat why;
	const char *name;
	size_t user = 0;

	(void)peer; /* where it comes from proves nothing */
	if (authdh_cred_decode(&cred, &call->cred))
		return AUTH_BADCRED;
	if (authdh_cred_decode_verifier(&cred, &call->verf))
		return AUTH_BADVERF;
	why = cred.kind == AUTHDH_FULLNAME
		      ? verify_fullname(server, &cred, &user, verf)
		      : verify_nickname(server, &cred, &user, verf);
	if (why != AUTH_OK)
		return why;
	name = server->options.publics->entries[user].name;
	memcpy(who->name, name, strlen(name) + 1);
	who->has_uid = netname_uid(name, &who->uid) == 0;
	who->gid = UINT32_MAX;
	who->is_proved = true;
	return AUTH_OK;
}

/* ---- life ---- */

static int fill(struct authdh_server *server)
{
	size_t n = server->options.conversations;
	uint32_t start = 0;

	if (getrandom(&start, sizeof(start), 0) != sizeof(start))
		return -EIO;
	server->users =
		calloc(server->options.publics->n + 1, sizeof(*server->users));
	server->table = calloc(n, sizeof(*server->table));
	if (!server->users || !server->table)
		return -ENOMEM;
	/* Half of the numbers are left for later. */
	start = start / 2 / (uint32_t)n * (uint32_t)n;
	for (size_t i = 0; i < n; i++)
		server->table[i].nickname = start + (uint32_t)i;
	return 0;
}

int authdh_server_open(struct authdh_server **server,
		       const struct authdh_server_options *options)
{
	struct authdh_server *s = calloc(1, sizeof(*s));
	int error;

	*server = NULL;
	if (!s)
		return -ENOMEM;
	s->options = *options;
	if (!s->options.conversations)
		s->options.conversations = CONVERSATIONS;
	if (!s->options.max_window_s)
		s->options.max_window_s = MAX_WINDOW_S;
	if (!s->options.now_us)
		s->options.now_us = read_clock;
	s->secret = *options->secret;
	s->flavor = (struct rpc_auth_flavor){
		.number = AUTH_DH,
		.name = "AUTH_DH",
		.verify = verify,
		.state = s,
		.may_block = options->floors_path != NULL,
	};
	pthread_mutex_init(&s->lock, NULL);
	error = fill(s);
	if (!error && options->floors_path)
		error = floor_open(&s->floors, options->floors_path);
	if (error) {
		authdh_server_close(s);
		return error;
	}
	*server = s;
	return 0;
}

void authdh_server_close(struct authdh_server *server)
{
	if (!server)
		return;
	if (server->table)
		dh_wipe(server->table,
			server->options.conversations * sizeof(*server->table));
	if (server->users)
		dh_wipe(server->users,
			server->options.publics->n * sizeof(*server->users));
	free(server->table);
	free(server->users);
	floor_close(server->floors);
	pthread_mutex_destroy(&server->lock);
	dh_wipe(&server->secret, sizeof(server->secret));
	free(server);
}

const struct rpc_auth_flavor *authdh_server_flavor(
	const struct authdh_server *server)
{
	return &server->flavor;
}

size_t authdh_server_count(struct authdh_server *server)
{
	size_t used;

	pthread_mutex_lock(&server->lock);
	used = server->used;
	pthread_mutex_unlock(&server->lock);
	return used;
}
