// A library to be loaded before libc (LD_PRELOAD) into a program that uses SQLite. It
// writes down, in the order in which they happen, all writes to the files below one
// directory, and all syncs, so that one can say later what a disk would have held had the
// power failed at any of these moments. On demand it lets such a call fail.
//
// It sees the calls that go through libc: those of SQLite, and not those of Go itself.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

// What happened. powercut.go reads the same numbers.
enum { CREATED = 1, OPENED, WRITTEN, CUT, SYNCED, NAMES_SYNCED, UNLINKED };

// What is to go wrong. powercut.go writes the same numbers.
enum { EIO_BEFORE = 1, EIO_AFTER, NO_SPACE, SHORT };

struct record {
  uint32_t kind;
  uint32_t name; // bytes of the path that follow
  uint64_t file; // inode
  uint64_t offset;
  uint64_t data; // bytes that follow the path
};

struct orders {
  int64_t countdown; // of calls that change a disk; at zero one fails
  int64_t fault;
  int64_t forever; // whether those after it fail as well
  int64_t calls;   // how many there have been
};

enum { MAX_FD = 4096 };
static struct {
  char tracked, directory;
  uint64_t inode;
} files[MAX_FD];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *dir;
static size_t dir_length;
static int journal = -1;
static struct orders *orders;

static int (*real_open)(const char *, int, ...);
static int (*real_close)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_ftruncate)(int, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_unlink)(const char *);

__attribute__((constructor)) static void start(void) {
  real_open = dlsym(RTLD_NEXT, "open64");
  real_close = dlsym(RTLD_NEXT, "close");
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  const char *path = getenv("POWERCUT_JOURNAL");
  dir = getenv("POWERCUT_DIR");
  if (!path || !dir) return;
  dir_length = strlen(dir);
  journal = real_open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  const char *page = getenv("POWERCUT_ORDERS");
  int fd = page ? real_open(page, O_RDWR | O_CLOEXEC) : -1;
  if (fd >= 0) {
    void *at = mmap(NULL, sizeof(struct orders), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) orders = at;
    real_close(fd);
  }
}

// below says whether a path is one to watch. What SQLite keeps in shared memory is never
// read after a crash.
static int below(const char *path) {
  size_t n = path ? strlen(path) : 0;
  return journal >= 0 && n >= dir_length && memcmp(path, dir, dir_length) == 0 &&
         (path[dir_length] == '/' || path[dir_length] == 0) && !(n > 4 && strcmp(path + n - 4, "-shm") == 0);
}

static void note(uint32_t kind, const char *name, uint64_t file, uint64_t offset, const void *data, size_t length) {
  struct record r = {kind, name ? strlen(name) : 0, file, offset, length};
  struct iovec parts[] = {{&r, sizeof r}, {(void *)name, r.name}, {(void *)data, length}};
  int before = errno;
  syscall(SYS_writev, journal, parts, 3);
  errno = before;
}

// due says what is to go wrong with this call: 0 for nothing.
static int64_t due(void) {
  if (!orders) return 0;
  orders->calls++;
  if (orders->countdown <= 0 || --orders->countdown > 0) return 0;
  int64_t fault = orders->fault;
  if (fault == SHORT) { // what is left of it finds no room
    orders->countdown = 1;
    orders->fault = NO_SPACE;
  } else if (orders->forever) {
    orders->countdown = 1;
  }
  return fault;
}

static int refuse(int64_t fault) {
  errno = fault == NO_SPACE || fault == SHORT ? ENOSPC : EIO;
  return -1;
}

static int tracked(int fd) { return fd >= 0 && fd < MAX_FD && files[fd].tracked; }

int open64(const char *path, int flags, ...) {
  mode_t mode = 0;
  if (flags & O_CREAT) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  if (!below(path)) return real_open(path, flags, mode);
  pthread_mutex_lock(&lock);
  struct stat before, now;
  int existed = stat(path, &before) == 0;
  int fd = -1;
  int64_t fault = !existed && (flags & O_CREAT) ? due() : 0;
  if (fault)
    refuse(fault);
  else
    fd = real_open(path, flags, mode);
  if (fd >= 0 && fd < MAX_FD && fstat(fd, &now) == 0) {
    files[fd].directory = S_ISDIR(now.st_mode);
    files[fd].inode = now.st_ino;
    files[fd].tracked = 1;
    if (!files[fd].directory) note(existed ? OPENED : CREATED, path, now.st_ino, 0, NULL, 0);
  }
  pthread_mutex_unlock(&lock);
  return fd;
}

int open(const char *path, int flags, ...) {
  mode_t mode = 0;
  if (flags & O_CREAT) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  return open64(path, flags, mode);
}

int close(int fd) {
  pthread_mutex_lock(&lock);
  if (tracked(fd)) files[fd].tracked = 0;
  int result = real_close(fd);
  pthread_mutex_unlock(&lock);
  return result;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset) {
  if (!tracked(fd)) return real_pwrite(fd, data, length, offset);
  pthread_mutex_lock(&lock);
  int64_t fault = due();
  ssize_t n;
  if (fault == SHORT && length > 1) length /= 2;
  if (fault == EIO_BEFORE || fault == NO_SPACE || (fault == SHORT && length < 2)) {
    n = refuse(fault);
  } else {
    n = real_pwrite(fd, data, length, offset);
    if (n > 0) note(WRITTEN, NULL, files[fd].inode, offset, data, n);
    if (fault == EIO_AFTER) n = refuse(fault);
  }
  pthread_mutex_unlock(&lock);
  return n;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset) { return pwrite64(fd, data, length, offset); }

// write is pwrite where the file stands, and moves it on.
ssize_t write(int fd, const void *data, size_t length) {
  if (!tracked(fd)) return real_write(fd, data, length);
  off64_t at = lseek64(fd, 0, SEEK_CUR);
  ssize_t n = pwrite64(fd, data, length, at);
  if (n > 0) lseek64(fd, at + n, SEEK_SET);
  return n;
}

int ftruncate64(int fd, off64_t length) {
  if (!tracked(fd)) return real_ftruncate(fd, length);
  pthread_mutex_lock(&lock);
  int64_t fault = due();
  int result = fault && fault != EIO_AFTER ? refuse(fault) : real_ftruncate(fd, length);
  if (result == 0) note(CUT, NULL, files[fd].inode, length, NULL, 0);
  if (fault == EIO_AFTER) result = refuse(fault);
  pthread_mutex_unlock(&lock);
  return result;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

static int sync_with(int (*real)(int), int fd) {
  if (!tracked(fd)) return real(fd);
  pthread_mutex_lock(&lock);
  int64_t fault = due();
  // The real disk is spared: what it holds is not what is looked at.
  int result = fault && fault != EIO_AFTER ? refuse(EIO_BEFORE) : 0;
  if (result == 0) note(files[fd].directory ? NAMES_SYNCED : SYNCED, NULL, files[fd].inode, 0, NULL, 0);
  if (fault == EIO_AFTER) result = refuse(fault);
  pthread_mutex_unlock(&lock);
  return result;
}

int fsync(int fd) { return sync_with(real_fsync, fd); }
int fdatasync(int fd) { return sync_with(real_fdatasync, fd); }

int unlink(const char *path) {
  if (!below(path)) return real_unlink(path);
  pthread_mutex_lock(&lock);
  int64_t fault = due();
  int result = fault && fault != EIO_AFTER ? refuse(fault) : real_unlink(path);
  if (result == 0) note(UNLINKED, path, 0, 0, NULL, 0);
  if (fault == EIO_AFTER) result = refuse(fault);
  pthread_mutex_unlock(&lock);
  return result;
}
