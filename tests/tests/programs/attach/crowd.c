/* An object with SIZE bytes of thread-local variables at a fixed place. */
__thread char crowd[SIZE] __attribute__((tls_model("initial-exec")));

char *first(void) { return crowd; }
