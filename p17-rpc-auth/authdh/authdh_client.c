#include "p17-rpc-auth/authdh/authdh_client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "p17-rpc-auth/authdh/authdh_cred.h"

enum { WINDOW_S = 60 };

struct conversation {
	AUTH auth; /* what the others know of it */
	char name[NETNAME_MAX + 1];
	uint8_t common[DH_DES];
	uint8_t key[DH_DES];
	uint32_t window_s;
	int64_t (*now_us)(void *arg);
	void *arg;
	int64_t time_us; /* of the latest call */
	bool has_nickname;
	uint32_t nickname;
	unsigned int fullnames;
};

static struct conversation *conversation_of(const AUTH *auth)
{
	return auth->ah_private;
}

static int64_t read_clock(void *arg)
{
	struct timespec now;

	(void)arg;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static void begin_call(AUTH *auth)
{
	(void)auth;
}

static bool_t put(XDR *xdrs, const struct rpc_verifier *opaque)
{
	struct opaque_auth raw = {
		.oa_flavor = (enum_t)opaque->flavor,
		.oa_base = (char *)(uintptr_t)opaque->body,
		.oa_length = opaque->bytes,
	};

	return xdr_opaque_auth(xdrs, &raw);
}

/* A new timestamp each time, later than the one before. */
static int marshal(AUTH *auth, XDR *xdrs)
{
	struct conversation *c = conversation_of(auth);
	struct rpc_verifier credential, verifier;
	int64_t now = c->now_us(c->arg);
	struct authdh_cred cred;

	c->time_us = now > c->time_us ? now : c->time_us + 1;
	if (c->has_nickname) {
		authdh_cred_seal_nickname(&cred, c->nickname, c->key,
					  c->time_us);
	} else {
		c->fullnames++;
		authdh_cred_seal_fullname(&cred, c->name, c->common, c->key,
					  c->time_us, c->window_s);
	}
	authdh_cred_encode(&cred, &credential, &verifier);
	return put(xdrs, &credential) && put(xdrs, &verifier);
}

static int validate(AUTH *auth, struct opaque_auth *verf)
{
	struct conversation *c = conversation_of(auth);
	const struct rpc_opaque verifier = {
		.flavor = (uint32_t)verf->oa_flavor,
		.bytes = verf->oa_length,
		.body = (const uint8_t *)verf->oa_base,
	};

	if (authdh_cred_open_reply(&verifier, c->key, c->time_us, &c->nickname))
		return FALSE;
	c->has_nickname = true;
	return TRUE;
}

/* Whatever the reason was: the server may have been started anew, and its
 * nicknames be others. With the full name there is nothing else to try. */
static int refresh(AUTH *auth, void *message)
{
	struct conversation *c = conversation_of(auth);
	bool had_nickname = c->has_nickname;

	(void)message;
	c->has_nickname = false;
	return had_nickname;
}

static void destroy(AUTH *auth)
{
	struct conversation *c = conversation_of(auth);

	dh_wipe(c, sizeof(*c));
	free(c);
}

static int pass(AUTH *auth, XDR *xdrs, xdrproc_t xdr, caddr_t value)
{
	(void)auth;
	return xdr(xdrs, value);
}

static int prepare(struct conversation *c,
		   const struct authdh_client_options *options)
{
	uint8_t common[DH_KEY];
	int error =
		dh_common(options->secret->key, options->server->key, common);

	if (error)
		return error;
	dh_des_key(common, c->common);
	dh_wipe(common, sizeof(common));
	return dh_conversation_key(c->key);
}

int authdh_client_create(AUTH **auth,
			 const struct authdh_client_options *options)
{
	static struct auth_ops ops = {
		.ah_nextverf = begin_call,
		.ah_marshal = marshal,
		.ah_validate = validate,
		.ah_refresh = refresh,
		.ah_destroy = destroy,
		.ah_wrap = pass,
		.ah_unwrap = pass,
	};
	struct conversation *c = calloc(1, sizeof(*c));
	int error;

	*auth = NULL;
	if (!c)
		return -ENOMEM;
	error = prepare(c, options);
	if (error) {
		dh_wipe(c, sizeof(*c));
		free(c);
		return error;
	}
	memcpy(c->name, options->secret->name, sizeof(c->name));
	c->window_s = options->window_s ? options->window_s : WINDOW_S;
	c->now_us = options->now_us ? options->now_us : read_clock;
	c->arg = options->arg;
	c->auth.ah_ops = &ops;
	c->auth.ah_private = c;
	c->auth.ah_cred.oa_flavor = AUTH_DH;
	*auth = &c->auth;
	return 0;
}

unsigned int authdh_client_fullnames(const AUTH *auth)
{
	return conversation_of(auth)->fullnames;
}
