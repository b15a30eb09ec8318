/* Any bytes as a credential and a verifier of AUTH_DH, for a server that has
 * one user and one conversation: they are refused, and what can be decoded is
 * encoded to the same bytes. Then the same bytes as text: files of keys are
 * made of netnames, policies of words.
 *
 * The first byte is how long the credential is; the verifier is the rest. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "p17-rpc-auth/authdh/authdh_cred.h"
#include "p17-rpc-auth/authdh/authdh_server.h"
#include "p17-rpc-auth/authsys.h"
#include "p17-rpc-auth/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static struct authdh_server *open_server(void)
{
	static struct keys_entry public = {.name = "unix.1000@test"};
	static struct keys_entry secret = {.name = "unix.calc@test"};
	static const struct keys publics = {&public, 1};
	const struct authdh_server_options options = {
		.publics = &publics, .secret = &secret, .conversations = 1};
	struct authdh_server *server;

	memset(public.key, 3, DH_KEY);
	memset(secret.key, 5, DH_KEY);
	must(authdh_server_open(&server, &options) == 0);
	return server;
}

static void try_call(const struct rpc_call *call)
{
	static struct authdh_server *server;
	struct rpc_verifier verf = {0}, credential, verifier;
	const struct rpc_peer peer = {.has_ids = true, .uid = 1};
	struct rpc_identity who = {.flavor = AUTH_DH};
	const struct rpc_auth_flavor *flavor;
	struct authdh_cred cred;

	if (!server)
		server = open_server();
	flavor = authdh_server_flavor(server);
	/* Whoever finds credentials by chance has broken DES. */
	must(flavor->verify(flavor->state, call, &peer, &who, &verf) !=
	     AUTH_OK);
	if (authdh_cred_decode(&cred, &call->cred) == 0 &&
	    authdh_cred_decode_verifier(&cred, &call->verf) == 0) {
		authdh_cred_encode(&cred, &credential, &verifier);
		must(credential.bytes == call->cred.bytes);
		must(memcmp(credential.body, call->cred.body,
			    credential.bytes) == 0);
		must(verifier.bytes == call->verf.bytes);
	}
}

static void try_sys(struct rpc_call *call)
{
	const struct rpc_peer peer = {
		.transport = RPC_UNIX, .has_ids = true, .uid = 1, .gid = 1};
	struct rpc_identity who = {.flavor = AUTH_SYS};
	struct rpc_verifier verf = {0};

	call->cred.flavor = AUTH_SYS;
	call->verf = (struct rpc_opaque){0};
	if (authsys_flavor.verify(NULL, call, &peer, &who, &verf) == AUTH_OK)
		must(who.uid == 1 && who.gid == 1 && who.is_proved);
}

static void try_text(const uint8_t *data, size_t size)
{
	static const char *const procedures[] = {"null", "add", NULL};
	static struct policy policy;
	char *text = malloc(size + 1);
	uint8_t key[DH_KEY];
	uint32_t uid;

	must(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	policy_init(&policy, procedures);
	if (policy_add(&policy, text) == 0)
		must(policy.n <= POLICY_RULES);
	if (netname_uid(text, &uid) == 0) {
		char name[NETNAME_MAX + 1];

		must(netname_of_user(name, uid, strchr(text, '@') + 1) == 0);
		must(strcmp(name, text) == 0);
	}
	(void)dh_parse(text, key);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rpc_call call = {0};
	uint8_t *copy; /* of its own size: ASan guards the end */

	if (size < 1 || size > 2 * RPC_MESSAGE_AUTH_MAX)
		return 0;
	copy = malloc(size);
	must(copy != NULL);
	memcpy(copy, data, size);
	call.cred.flavor = call.verf.flavor = AUTH_DH;
	call.cred.bytes = copy[0] < size ? copy[0] : (uint32_t)size - 1;
	call.cred.body = copy + 1;
	call.verf.body = copy + 1 + call.cred.bytes;
	call.verf.bytes = (uint32_t)size - 1 - call.cred.bytes;
	if (call.verf.bytes <= RPC_MESSAGE_AUTH_MAX) {
		try_call(&call);
		try_sys(&call);
	}
	try_text(data, size);
	free(copy);
	return 0;
}
