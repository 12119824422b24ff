/* The single file: this program, then the files that it runs, as a compressed archive, then a trailer.
 *
 * Without archive and trailer it is `python3` beside the unpacked program, which children are started with. Both tell the loader where the
 * shared libraries are before the program starts, which needs some itself.
 *
 * The archive is unpacked once for each user, into a folder named by its digest, and run from there: a later start opens one file and
 * becomes the program, so that signals, process IDs and inherited sockets are the program's own. The folder is made under another name, and
 * renamed when it is whole and on the disk. Of two first starts at once, one waits for the other; whoever unpacks removes what an unpacking
 * that was killed has left. The folder must be the user's, and nobody else may write to it.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#define MAGIC "JACKFLD1"
#define BLOCK 512
#define WAIT_SECONDS 120 /* for another process that unpacks; then this one unpacks, too */
#define LIBRARIES "/_internal/lib"

struct trailer { /* 64 bytes, numbers in little-endian order */
    char magic[8];
    char digest[32];
    uint64_t offset, length, reserved;
};

static char why[PATH_MAX + 256] = "no folder is named by XDG_CACHE_HOME, HOME or TMPDIR";

enum { FAILED = -1, DAMAGED = -2 };

static int failed(const char *what, const char *path) {
    snprintf(why, sizeof why, "%s %s: %s", what, path, strerror(errno));
    return FAILED;
}

/* Open this file; return -1 where it has no archive. */
static int open_self(struct trailer *end) {
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (self < 0) self = open((const char *)getauxval(AT_EXECFN), O_RDONLY | O_CLOEXEC); /* there may be no /proc */
    off_t at = self < 0 ? -1 : lseek(self, -(off_t)sizeof *end, SEEK_END);
    return at >= 0 && pread(self, end, sizeof *end, at) == sizeof *end && memcmp(end->magic, MAGIC, 8) == 0 ? self : -1;
}

/* Become the program in a folder; return where that is not possible. It finds itself by its first word where there is no /proc. */
static void become(const char *home, char **words) {
    char program[2 * PATH_MAX], *libraries;
    const char *given = getenv("LD_LIBRARY_PATH");
    snprintf(program, sizeof program, "%s/jackfield", home);
    if (asprintf(&libraries, "%s" LIBRARIES "%s%s", home, given && *given ? ":" : "", given ? given : "") < 0) return;
    setenv("LD_LIBRARY_PATH", libraries, 1);
    words[0] = program;
    execv(program, words);
    failed("cannot run", program);
    if (given) setenv("LD_LIBRARY_PATH", libraries + strlen(home) + strlen(LIBRARIES) + (*given != 0), 1);
    else unsetenv("LD_LIBRARY_PATH");
}

/* Make a folder, if its parent is there, and check that it is ours alone. */
static int own_folder(const char *path) {
    struct stat found;
    if (mkdir(path, 0700) && errno != EEXIST) return failed("cannot make", path);
    if (lstat(path, &found)) return failed("cannot look at", path);
    if (!S_ISDIR(found.st_mode) || found.st_uid != geteuid() || (found.st_mode & 022)) {
        snprintf(why, sizeof why, "%s is not a folder of this user's that nobody else may write to", path);
        return -1;
    }
    return 0;
}

/* The decompressed archive, block by block. */
static unsigned char input[1 << 17], output[1 << 20];
struct archive {
    int file;
    uint64_t left;
    z_stream stream;
    size_t used, have;
    int ended;
};

static int fill(struct archive *from) {
    from->stream.next_out = output, from->stream.avail_out = sizeof output;
    while (from->stream.avail_out) {
        if (!from->stream.avail_in) {
            size_t wanted = from->left < sizeof input ? from->left : sizeof input;
            ssize_t got = wanted ? read(from->file, input, wanted) : 0;
            if (got <= 0) break;
            from->left -= got, from->stream.next_in = input, from->stream.avail_in = got;
        }
        int state = inflate(&from->stream, Z_NO_FLUSH);
        if (state == Z_STREAM_END) { /* its checksum was compared */
            from->ended = 1;
            break;
        }
        if (state != Z_OK) return -1;
    }
    from->used = 0, from->have = sizeof output - from->stream.avail_out;
    return from->have ? 0 : -1;
}

static const unsigned char *next(struct archive *from, size_t most, size_t *got) {
    if (from->used == from->have && fill(from)) return NULL;
    *got = from->have - from->used < most ? from->have - from->used : most;
    const unsigned char *here = output + from->used;
    from->used += *got;
    return here;
}

/* Read to the end, where zlib compares the checksum of all; return whether it is right. */
static int is_whole(struct archive *from) {
    while (!from->ended && !fill(from)) continue;
    inflateEnd(&from->stream);
    return from->ended;
}

static int copy(struct archive *from, int to, uint64_t size) {
    for (uint64_t left = (size + BLOCK - 1) / BLOCK * BLOCK; left;) {
        size_t got;
        const unsigned char *here = next(from, left < sizeof output ? left : sizeof output, &got);
        if (!here) return DAMAGED;
        size_t real = size < got ? size : got;
        for (size_t at = 0; to >= 0 && at < real;) {
            ssize_t done = write(to, here + at, real - at);
            if (done < 0) return FAILED;
            at += done;
        }
        size -= real, left -= got;
    }
    return 0;
}

/* Unpack a tar archive of the ustar form: folders before what is in them, files, symbolic links. */
static int unpack(int self, const struct trailer *end, const char *folder) {
    struct archive from = {.file = self, .left = end->length};
    char path[PATH_MAX];
    if (lseek(self, end->offset, SEEK_SET) < 0 || inflateInit(&from.stream) != Z_OK) return failed("cannot read", "this file");
    for (;;) {
        size_t got;
        char head[BLOCK];
        const unsigned char *block = next(&from, BLOCK, &got); /* the buffer is a multiple of a block */
        if (!block || got != BLOCK) return DAMAGED;
        memcpy(head, block, BLOCK);
        if (!head[0]) return is_whole(&from) ? 0 : DAMAGED;
        snprintf(path, sizeof path, "%s/%.155s%s%.100s", folder, head + 345, head[345] ? "/" : "", head);
        uint64_t size = strtoull(head + 124, NULL, 8);
        mode_t mode = strtoul(head + 100, NULL, 8) & 0777;
        if (head[156] == '5') {
            if (mkdir(path, 0700)) return failed("cannot make", path);
        } else if (head[156] == '2') {
            head[257] = 0;
            if (symlink(head + 157, path)) return failed("cannot make", path);
        } else {
            int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
            if (to < 0) return failed("cannot make", path);
            int wrong = copy(&from, to, size);
            if (close(to) && !wrong) wrong = FAILED;
            if (wrong) return wrong == FAILED ? failed("cannot write", path) : wrong;
        }
    }
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *where) {
    (void)about, (void)kind, (void)where;
    return remove(path);
}

static void erase(const char *path) {
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Wait until no other process unpacks in a folder, and keep others from it while the descriptor is open; return -1 where that takes too long. */
static int lock(const char *root) {
    int folder = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (int tenths = 0; folder >= 0 && flock(folder, LOCK_EX | LOCK_NB); tenths++) {
        if (tenths == WAIT_SECONDS * 10 || (errno != EWOULDBLOCK && errno != EINTR)) return close(folder), -1;
        nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
    }
    return folder;
}

/* Remove what processes that were killed have unpacked in part: whoever holds the lock is the only one that unpacks. */
static void erase_parts(const char *root) {
    char path[PATH_MAX];
    DIR *listing = opendir(root);
    for (struct dirent *one; listing && (one = readdir(listing));) {
        if (one->d_name[0] != '.' || strlen(one->d_name) != strlen(".-XXXXXX") + sizeof((struct trailer *)0)->digest) continue;
        snprintf(path, sizeof path, "%s/%s", root, one->d_name);
        erase(path);
    }
    if (listing) closedir(listing);
}

/* Unpack into a folder of a root that is locked, and name it when it is whole and on the disk. */
static int place(int self, const struct trailer *end, const char *root, const char *home) {
    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s/.%.32s-XXXXXX", root, end->digest);
    if (!mkdtemp(part)) return failed("cannot make", part);
    int folder = -1, wrong = unpack(self, end, part);
    if (!wrong && ((folder = open(part, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || syncfs(folder))) wrong = failed("cannot write", part);
    if (folder >= 0) close(folder);
    if (wrong == DAMAGED) {
        erase(part);
        fputs("jackfield: this file is not whole: its content is not what its checksum says. Copy it again.\n", stderr);
        exit(1);
    }
    if (wrong || rename(part, home)) erase(part); /* a process that waited no longer may have been faster */
    return wrong;
}

/* Become the program in a folder of this user's; return where that is not possible. */
static void run(int self, const struct trailer *end, const char *above, const char *name, char **words) {
    char root[PATH_MAX], home[PATH_MAX], program[PATH_MAX];
    struct statvfs mounted;
    if (snprintf(root, sizeof root, "%s/%s", above, name) >= (int)sizeof root - 100) return;
    if (own_folder(root)) return;
    snprintf(home, sizeof home, "%s/%.32s", root, end->digest);
    snprintf(program, sizeof program, "%s/jackfield", home);
    if (access(program, F_OK)) {
        if (!statvfs(root, &mounted) && (mounted.f_flag & ST_NOEXEC)) {
            errno = EACCES, failed("cannot run files (noexec) in", root);
            return;
        }
        int locked = lock(root), wrong = 0;
        if (access(program, F_OK)) {
            if (locked >= 0) erase_parts(root), erase(home); /* something has cleared a part of it */
            wrong = place(self, end, root, home);
        }
        if (locked >= 0) close(locked);
        if (wrong) return;
    }
    become(home, words);
}

/* Become the program beside this file, with the Python's words. */
static int be_python(char **words) {
    char folder[PATH_MAX], libraries[PATH_MAX + sizeof LIBRARIES], *slash;
    if (!realpath((const char *)getauxval(AT_EXECFN), folder) || !(slash = strrchr(folder, '/'))) {
        failed("cannot find", words[0]);
    } else {
        *slash = 0;
        snprintf(libraries, sizeof libraries, "%s" LIBRARIES, folder);
        if (access(libraries, F_OK)) failed("cannot find", libraries); /* a copy that was cut off, whatever lies beside it */
        else setenv("_JACKFIELD_PYTHON", "1", 1), become(folder, words);
    }
    fprintf(stderr, "jackfield: this file is not whole: %s\n", why);
    return 1;
}

int main(int count, char **words) {
    struct trailer end;
    char above[PATH_MAX], name[64];
    if (count < 1) return 1; /* there is no room for the program's name */
    int self = open_self(&end);
    if (self < 0) return be_python(words);
    unsetenv("_JACKFIELD_PYTHON");
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"), *scratch = getenv("TMPDIR");
    above[0] = 0;
    if (cache && cache[0] == '/') snprintf(above, sizeof above, "%s", cache);
    else if (home && home[0] == '/') snprintf(above, sizeof above, "%s/.cache", home);
    if (above[0]) mkdir(above, 0700), run(self, &end, above, "jackfield", words);
    snprintf(name, sizeof name, "jackfield-%ld", (long)geteuid());
    run(self, &end, scratch && scratch[0] == '/' ? scratch : "/tmp", name, words);
    fprintf(stderr, "jackfield: %s\nName a folder for its files with XDG_CACHE_HOME: one that can be written, on a file system without noexec.\n", why);
    return 1;
}
