#include "p17-rpc-auth/authsys.h"

static enum auth_stat verify(void *state, const struct rpc_call *call,
			     const struct rpc_peer *peer,
			     struct rpc_identity *who,
			     struct rpc_verifier *verf)
{
	enum auth_stat why = rpc_auth_sys.verify(state, call, peer, who, verf);

	if (why != AUTH_OK || peer->transport != RPC_UNIX)
		return why;
	if (!peer->has_ids || who->uid != peer->uid || who->gid != peer->gid)
		return AUTH_BADCRED;
	who->n_gids = 0;
	who->is_proved = true;
	return AUTH_OK;
}

const struct rpc_auth_flavor authsys_flavor = {
	.number = AUTH_SYS,
	.name = "AUTH_SYS",
	.verify = verify,
};
