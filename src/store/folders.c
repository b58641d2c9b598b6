#include <config.h>

#include "store/folders.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/limits.h"

static bool is_number(const char *text)
{
    return *text && strlen(text) < 10 && strspn(text, "0123456789") == strlen(text);
}

struct walk {
    const char *dir;
    bool all;
    int (*visit)(void *arg, const char *topic, int32_t partition);
    void *arg;
};

static int walk_topic(const struct walk *walk, const char *topic)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/store/%s", walk->dir, topic);
    DIR *folder = opendir(path);
    struct dirent *entry;
    int rc = 0;
    while (folder && !rc && (entry = readdir(folder))) {
        snprintf(path, sizeof(path), "%s/store/%s/%.16s/ingest.db", walk->dir, topic, entry->d_name);
        if (is_number(entry->d_name) && (walk->all || access(path, F_OK) == 0))
            rc = walk->visit(walk->arg, topic, (int32_t)strtol(entry->d_name, NULL, 10));
    }
    if (folder)
        closedir(folder);
    return rc;
}

static int walk_topics(const struct walk *walk)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/store", walk->dir);
    DIR *folder = opendir(path);
    struct dirent *entry;
    int rc = 0;
    while (folder && !rc && (entry = readdir(folder)))
        if (*entry->d_name != '.' && strlen(entry->d_name) <= LIMIT_TOPIC_BYTES)
            rc = walk_topic(walk, entry->d_name);
    if (folder)
        closedir(folder);
    return rc;
}

int folders_walk(const char *dir, int (*visit)(void *arg, const char *topic, int32_t partition), void *arg)
{
    return walk_topics(&(struct walk){dir, false, visit, arg});
}

int folders_walk_all(const char *dir, int (*visit)(void *arg, const char *topic, int32_t partition), void *arg)
{
    return walk_topics(&(struct walk){dir, true, visit, arg});
}
