/* Two commands in a row, cut out of one line. */
#include "p01-pipeline/pipeline.h"
#include "p01-pipeline/words.h"
#include "uses.h"

int main(void)
{
	struct pipeline_stage stages[2];
	struct pipeline pipeline;
	char **pieces, **words[2];

	memset(stages, 0, sizeof(stages));
	memset(&pipeline, 0, sizeof(pipeline));
	if (words_cut("echo pipexine | tr x l", &pieces) != 2)
		return 1;
	for (int i = 0; i < 2; i++) {
		if (words_split(pieces[i], &words[i]) < 1)
			return 1;
		stages[i].argv = words[i];
	}
	pipeline.stages = stages;
	pipeline.n = 2;
	if (pipeline_start(&pipeline) ||
	    pipeline_wait(&pipeline, uses_deadline()))
		return 1;
	for (int i = 0; i < 2; i++)
		free(words[i]);
	free(pieces);
	return pipeline_exit_code(&pipeline, true);
}
