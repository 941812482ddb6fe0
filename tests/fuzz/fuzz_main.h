/*
 * fuzz_main.h - runs a fuzz target over files, for the corpora in "make check".
 * In: files named as arguments, where B2B_FUZZ_REPLAY is defined; libFuzzer has a main of its own.
 * Out: the exit code; nothing else but a crash, where there is one.
 * Included once, at the end of each target.
 */
#ifndef B2B_FUZZ_MAIN_H
#define B2B_FUZZ_MAIN_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#ifdef B2B_FUZZ_REPLAY
#define B2B_FUZZ_FILE_MAX (16u << 20)

static int replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *room = malloc(B2B_FUZZ_FILE_MAX), *exact;
	size_t bytes;

	if (!file || !room) {
		perror(path);
		return EXIT_FAILURE;
	}
	bytes = fread(room, 1, B2B_FUZZ_FILE_MAX, file);
	fclose(file);
	exact = malloc(bytes ? bytes : 1); /* so that a sanitizer sees a read past the end */
	if (!exact)
		abort();
	memcpy(exact, room, bytes);
	free(room);
	LLVMFuzzerTestOneInput(exact, bytes);
	free(exact);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	int status = EXIT_SUCCESS;

	for (int i = 1; i < argc && status == EXIT_SUCCESS; i++)
		status = replay(argv[i]);
	return status;
}
#endif

#endif
