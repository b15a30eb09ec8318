/* rpc_auth.c - AUTH_NONE and AUTH_SYS, the flavors that prove nothing. */
#include "lib/rpc/rpc_auth.h"

#include <errno.h>
#include <string.h>

enum { MACHINE_NAME_MAX = 255 };

/* ---- AUTH_NONE ---- */

static enum auth_stat verify_none(void *state, const struct rpc_call *call,
				  const struct rpc_peer *peer,
				  struct rpc_identity *who,
				  struct rpc_verifier *verf)
{
	(void)state, (void)peer, (void)who, (void)verf;
	return call->verf.flavor == AUTH_NONE ? AUTH_OK : AUTH_BADVERF;
}

const struct rpc_auth_flavor rpc_auth_none = {
	.number = AUTH_NONE,
	.name = "AUTH_NONE",
	.verify = verify_none,
};

/* ---- AUTH_SYS ---- */

/* A name as it can be logged. */
static void copy_name(char *name, const uint8_t *from, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		name[i] =
			(char)(from[i] > ' ' && from[i] < 0x7f ? from[i] : '?');
	name[n] = '\0';
}

int rpc_auth_parse_sys(const struct rpc_opaque *cred, struct rpc_identity *who)
{
	const uint8_t *at = cred->body, *end;
	uint32_t name, n;

	/* stamp, length of the name */
	if (cred->bytes < 8)
		return -EBADMSG;
	end = at + cred->bytes;
	name = rpc_message_get32(at + 4);
	at += 8;
	if (name > MACHINE_NAME_MAX ||
	    end - at < (ptrdiff_t)((name + 3) & ~3u) + 12)
		return -EBADMSG;
	copy_name(who->name, at, name);
	at += (name + 3) & ~3u;
	who->uid = rpc_message_get32(at);
	who->gid = rpc_message_get32(at + 4);
	n = rpc_message_get32(at + 8);
	at += 12;
	if (n > RPC_AUTH_GIDS || end - at != (ptrdiff_t)n * 4)
		return -EBADMSG;
	for (uint32_t i = 0; i < n; i++)
		who->gids[i] = rpc_message_get32(at + (size_t)i * 4);
	who->n_gids = n;
	who->has_uid = true;
	return 0;
}

static enum auth_stat verify_sys(void *state, const struct rpc_call *call,
				 const struct rpc_peer *peer,
				 struct rpc_identity *who,
				 struct rpc_verifier *verf)
{
	(void)state, (void)peer, (void)verf;
	if (rpc_auth_parse_sys(&call->cred, who))
		return AUTH_BADCRED;
	return call->verf.flavor == AUTH_NONE ? AUTH_OK : AUTH_BADVERF;
}

const struct rpc_auth_flavor rpc_auth_sys = {
	.number = AUTH_SYS,
	.name = "AUTH_SYS",
	.verify = verify_sys,
};

/* ---- names ---- */

const char *rpc_auth_flavor_name(uint32_t flavor)
{
	switch (flavor) {
	case AUTH_NONE:
		return "AUTH_NONE";
	case AUTH_SYS:
		return "AUTH_SYS";
	case AUTH_SHORT:
		return "AUTH_SHORT";
	case AUTH_DH:
		return "AUTH_DH";
	case RPCSEC_GSS:
		return "RPCSEC_GSS";
	default:
		return "flavor";
	}
}

const char *rpc_auth_transport_name(enum rpc_transport transport)
{
	switch (transport) {
	case RPC_UDP:
		return "udp";
	case RPC_UNIX:
		return "unix";
	default:
		return "tcp";
	}
}
