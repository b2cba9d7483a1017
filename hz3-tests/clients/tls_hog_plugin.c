/* Takes of the room that the C library sets aside for thread-local storage at fixed places. */
__attribute__((tls_model("initial-exec"))) __thread char hog[64];

char *hog_address(void);

char *hog_address(void)
{
    return hog;
}
