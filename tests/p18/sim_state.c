/* sim_state.c - the state machine: some numbers, and each client's last request
 * with what became of it. */
#include "tests/p18/sim_world.h"

bool state_apply(struct state *state, uint64_t index,
		 const struct command *command, struct outcome *outcome)
{
	struct outcome *key = &state->key[command->key];

	if (command->sequence <= state->session[command->client].sequence) {
		*outcome = state->session[command->client].outcome;
		return false;
	}
	key->value = command->value + (command->is_add ? key->value : 0);
	key->revision = index;
	*outcome = *key;
	state->session[command->client].sequence = command->sequence;
	state->session[command->client].outcome = *key;
	return true;
}

uint64_t state_hash(const void *bytes, size_t len, uint64_t hash)
{
	const unsigned char *at = bytes;

	/* FNV-1a. */
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return hash;
}
