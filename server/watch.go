package server

import (
	"context"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"
)

const (
	watchPeriod   = 2 * time.Second
	watchFilesMax = 256 // looked at in one round; what is beyond is not watched
)

// stamp tells one state of a file from another. The zero value stands for a file that cannot be seen.
type stamp struct {
	modified time.Time
	size     int64
	inode    uint64 // of a file put in place of another
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	s := stamp{modified: info.ModTime(), size: info.Size()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = sys.Ino
	}
	return s
}

// watchFiles looks at files, which are grouped by who wants to know, whenever tick fires, and calls
// changed with the group once one of its files has another stamp and has kept it for a round: one that is
// still being written is not read. It asks rather than being told, because that also works on network and
// overlay file systems and through symbolic links. A file is watched from the round that first sees it. It
// ends with ctx.
func watchFiles(ctx context.Context, tick <-chan time.Time, files func() map[string][]string, changed func(group string)) {
	seen := look(files(), nil, changed)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
		seen = look(files(), seen, changed)
	}
}

// sight is what is known of a file.
type sight struct {
	last  stamp // in the last round
	known stamp // when changed was last called for it, or it was first seen
}

// look returns what is known of files after another round, and calls changed for the groups concerned.
func look(files map[string][]string, seen map[string]sight, changed func(group string)) map[string]sight {
	now := map[string]sight{}
	for _, group := range slices.Sorted(maps.Keys(files)) {
		differs := false
		for _, path := range files[group] {
			if _, known := now[path]; !known && len(now) >= watchFilesMax {
				continue
			}
			current := stampOf(path)
			before, known := seen[path]
			if !known {
				before = sight{current, current}
			}
			settled := current == before.last
			differs = differs || settled && current != before.known
			if settled {
				before.known = current
			}
			now[path] = sight{current, before.known}
		}
		if differs {
			changed(group)
		}
	}
	return now
}
