/* Runs a program on a console of its own, as a person at the keyboard would, for tests on
   another system that have only pipes: console.exe [--screen] PROGRAM ARGUMENT...

   Standard output and error are the program's; with --screen, they are the console's for it. Each
   line on standard input is an order:
     type TEXT   types TEXT and Enter (UTF-8)
     show        prints the rows of the console's window, and a form feed (with --screen)
     resize N    makes the window N columns wide
     ctrl-c      presses it
     ctrl-break  presses it
     close       closes the window
     log-off     asks the program's windows whether the session may end, and ends it
   The end of standard input ends the program at once. The exit code is the program's. */
#include <windows.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

static HANDLE console_input, console_output, job;
static PROCESS_INFORMATION program;

static void fail(const char *what) {
    fprintf(stderr, "console.exe: %s failed: error %lu\n", what, GetLastError());
    exit(125);
}

/* Ctrl-C reaches every program of the console: this one stays. */
static BOOL WINAPI stay(DWORD event) {
    return event == CTRL_C_EVENT;
}

static void press(WCHAR character, WORD key) {
    INPUT_RECORD records[2] = {{0}};
    DWORD written;
    for (int i = 0; i < 2; i++) {
        records[i].EventType = KEY_EVENT;
        records[i].Event.KeyEvent.bKeyDown = i == 0;
        records[i].Event.KeyEvent.wRepeatCount = 1;
        records[i].Event.KeyEvent.wVirtualKeyCode = key;
        records[i].Event.KeyEvent.uChar.UnicodeChar = character;
    }
    if (!WriteConsoleInputW(console_input, records, 2, &written)) fail("WriteConsoleInputW");
}

static void type(const char *text) {
    WCHAR wide[4096];
    int length = MultiByteToWideChar(CP_UTF8, 0, text, -1, wide, 4096);
    if (length == 0) fail("MultiByteToWideChar");
    for (int i = 0; i < length - 1; i++) press(wide[i], 0);
    press('\r', VK_RETURN);
}

static void show(void) {
    CONSOLE_SCREEN_BUFFER_INFO info;
    static WCHAR row[1024];
    char text[4096];
    if (!GetConsoleScreenBufferInfo(console_output, &info)) fail("GetConsoleScreenBufferInfo");
    for (SHORT y = info.srWindow.Top; y <= info.srWindow.Bottom; y++) {
        COORD begin = {0, y};
        DWORD length, bytes;
        if (!ReadConsoleOutputCharacterW(console_output, row, info.dwSize.X, begin, &length))
            fail("ReadConsoleOutputCharacterW");
        while (length > 0 && row[length - 1] == L' ') length--;
        bytes = WideCharToMultiByte(CP_UTF8, 0, row, length, text, sizeof text, NULL, NULL);
        fwrite(text, 1, bytes, stdout);
        fputc('\n', stdout);
    }
    fputs("\f\n", stdout);
    fflush(stdout);
}

static void resize(SHORT columns) {
    CONSOLE_SCREEN_BUFFER_INFO info;
    if (!GetConsoleScreenBufferInfo(console_output, &info)) fail("GetConsoleScreenBufferInfo");
    SMALL_RECT window = {0, info.srWindow.Top, columns - 1, info.srWindow.Bottom};
    COORD size = {columns, info.dwSize.Y};
    SMALL_RECT least = {0, info.srWindow.Top, 0, info.srWindow.Bottom};
    SetConsoleWindowInfo(console_output, TRUE, &least);
    if (!SetConsoleScreenBufferSize(console_output, size)) fail("SetConsoleScreenBufferSize");
    if (!SetConsoleWindowInfo(console_output, TRUE, &window)) fail("SetConsoleWindowInfo");
}

/* Sends the program an event as Windows does: with a thread in it. Wine's console itself sends
   Ctrl-C only. */
static void send_event(DWORD event) {
    FARPROC routine = GetProcAddress(GetModuleHandleW(L"kernelbase.dll"), "CtrlRoutine");
    if (!routine) fail("CtrlRoutine");
    if (!CreateRemoteThread(program.hProcess, NULL, 0, (LPTHREAD_START_ROUTINE)(void *)routine,
                            (void *)(ULONG_PTR)event, 0, NULL))
        fail("CreateRemoteThread");
}

static BOOL CALLBACK end_session(HWND window, LPARAM unused) {
    DWORD owner = 0;
    (void)unused;
    GetWindowThreadProcessId(window, &owner);
    if (owner == program.dwProcessId && SendMessageW(window, WM_QUERYENDSESSION, 0, 0))
        SendNotifyMessageW(window, WM_ENDSESSION, TRUE, 0);
    return TRUE;
}

static DWORD WINAPI take_orders(void *unused) {
    char line[8192];
    (void)unused;
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\r\n")] = 0;
        if (!strncmp(line, "type ", 5)) type(line + 5);
        else if (!strcmp(line, "show")) show();
        else if (!strncmp(line, "resize ", 7)) resize((SHORT)atoi(line + 7));
        else if (!strcmp(line, "ctrl-c")) GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0);
        else if (!strcmp(line, "ctrl-break")) send_event(CTRL_BREAK_EVENT);
        else if (!strcmp(line, "close")) send_event(CTRL_CLOSE_EVENT);
        else if (!strcmp(line, "log-off")) EnumWindows(end_session, 0);
        else fprintf(stderr, "console.exe: no such order: %s\n", line);
    }
    TerminateProcess(program.hProcess, 124);
    return 0;
}

int wmain(int argc, WCHAR **argv) {
    static WCHAR command[32768];
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, TRUE};
    STARTUPINFOW start = {.cb = sizeof start};
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {
        .BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
    DWORD code;
    HANDLE out = GetStdHandle(STD_OUTPUT_HANDLE), err = GetStdHandle(STD_ERROR_HANDLE);
    BOOL has_screen = argc > 1 && !wcscmp(argv[1], L"--screen");

    for (int i = has_screen ? 2 : 1; i < argc; i++) {
        /* No argument of these tests has a quotation mark. */
        wcscat(command, *command ? L" \"" : L"\"");
        wcscat(command, argv[i]);
        wcscat(command, L"\"");
    }
    FreeConsole();
    if (!AllocConsole()) fail("AllocConsole");
    console_input = CreateFileW(L"CONIN$", GENERIC_READ | GENERIC_WRITE,
        FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited, OPEN_EXISTING, 0, NULL);
    if (console_input == INVALID_HANDLE_VALUE) fail("CONIN$");
    console_output = CreateFileW(L"CONOUT$", GENERIC_READ | GENERIC_WRITE,
        FILE_SHARE_READ | FILE_SHARE_WRITE, &inherited, OPEN_EXISTING, 0, NULL);
    if (console_output == INVALID_HANDLE_VALUE) fail("CONOUT$");
    start.dwFlags = STARTF_USESTDHANDLES;
    start.hStdInput = console_input;
    start.hStdOutput = has_screen ? console_output : out;
    start.hStdError = has_screen ? console_output : err;
    SetHandleInformation(out, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    SetHandleInformation(err, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    /* On a busy machine, Wine 8 fails now and then with an internal error. */
    for (int tries = 0; !CreateProcessW(NULL, command, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL,
                                        NULL, &start, &program); tries++)
        if (GetLastError() != ERROR_INTERNAL_ERROR || tries == 10) fail("CreateProcessW");
    /* It ends with this one, however that ends. */
    job = CreateJobObjectW(NULL, NULL);
    SetInformationJobObject(job, JobObjectExtendedLimitInformation, &limits, sizeof limits);
    if (!AssignProcessToJobObject(job, program.hProcess)) fail("AssignProcessToJobObject");
    ResumeThread(program.hThread);
    SetConsoleCtrlHandler(stay, TRUE);
    CreateThread(NULL, 0, take_orders, NULL, 0, NULL);
    WaitForSingleObject(program.hProcess, INFINITE);
    GetExitCodeProcess(program.hProcess, &code);
    return (int)code;
}
