/* A line from a command. */
#include "p03-popen/mypopen.h"
#include "uses.h"

int main(void)
{
	char line[64] = "";
	FILE *stream = mypopen("echo mypopen", "r");

	if (!stream || !fgets(line, sizeof(line), stream) || mypclose(stream))
		return 1;
	return fputs(line, stdout) < 0;
}
