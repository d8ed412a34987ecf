/* A first client in C: every message is a buffer of 100 bytes, whatever is in it.
   Comes in as NAME, says a word, waits to hear it, quits: fixed_buffer HOST PORT NAME */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int sock;

static void say(const char *text) {
    char buffer[100];
    memset(buffer, 0, sizeof buffer);
    strncpy(buffer, text, sizeof buffer - 1);
    if (write(sock, buffer, sizeof buffer) != sizeof buffer) exit(2);
}

static void hear(const char *expected) {
    static char heard[65536];
    static size_t length;
    while (!strstr(heard, expected)) {
        ssize_t count = read(sock, heard + length, sizeof heard - length - 1);
        if (count <= 0) {
            fprintf(stderr, "closed before %s\n", expected);
            exit(1);
        }
        length += count;
    }
}

int main(int argc, char **argv) {
    char line[200];
    struct sockaddr_in address = {0};
    if (argc != 4) return 64;
    address.sin_family = AF_INET;
    address.sin_port = htons(atoi(argv[2]));
    inet_pton(AF_INET, argv[1], &address.sin_addr);
    sock = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(sock, (struct sockaddr *)&address, sizeof address) != 0) return 2;
    hear("로그인ID:");
    say(argv[3]);
    snprintf(line, sizeof line, "[%s]님이 입장했습니다.", argv[3]);
    hear(line);
    say("안녕하세요");
    snprintf(line, sizeof line, "[%s] 안녕하세요\n", argv[3]);
    hear(line);
    hear("[host] 어서 오세요\n");
    say("/quit");
    while (read(sock, line, sizeof line) > 0) {}
    return 0;
}
