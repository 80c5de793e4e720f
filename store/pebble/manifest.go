package pebble

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// manifestSumName is the file that says how long the manifest was, and with what checksum, when it
// was last synced. After a crash Pebble reads the manifest up to the first damage, as if it ended
// there, and deletes the tables that it then knows nothing about; the sum tells a damaged manifest
// from one that a crash cut off. It is written behind each sync, once per flush or compaction, and
// never synced itself: an older sum still vouches for a part, none for nothing.
const manifestSumName = "MANIFEST.SUM"

// manifestSum is the running sum of one manifest. Pebble writes a manifest from its beginning, one
// call at a time.
type manifestSum struct {
	size int64
	sum  uint32
}

func isManifest(file string) bool { return strings.HasPrefix(path.Base(file), "MANIFEST-") }

// add counts bytes appended to the manifest.
func (m *manifestSum) add(p []byte) {
	m.size += int64(len(p))
	m.sum = crc32.Update(m.sum, castagnoli, p)
}

// save writes the sum of the manifest file beside it. An error leaves the last sum in place, which
// is true as well.
func (m *manifestSum) save(disk vfs.FS, file string) {
	sum := disk.PathJoin(disk.PathDir(file), manifestSumName)
	f, err := disk.Create(sum+".tmp", vfs.WriteCategoryUnspecified)
	if err != nil {
		return
	}
	_, err = fmt.Fprintf(f, "%08x %d %s\n", m.sum, m.size, disk.PathBase(file))
	if errors.Join(err, f.Close()) == nil {
		_ = disk.Rename(sum+".tmp", sum)
	}
}

// verifyManifest compares the manifest of dir with its sum, as far as there is one.
func verifyManifest(disk vfs.FS, dir string) error {
	text, err := readFile(disk, disk.PathJoin(dir, manifestSumName), 1<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var want manifestSum
	var name string
	if n, _ := fmt.Sscanf(text, "%08x %d %s\n", &want.sum, &want.size, &name); n != 3 || !isManifest(name) {
		return nil // a power failure left it so
	}
	file, err := disk.Open(disk.PathJoin(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil // replaced by a newer one, or Pebble misses it itself
	}
	if err != nil {
		return err
	}
	defer file.Close()
	hash := crc32.New(castagnoli)
	size, err := io.Copy(hash, io.LimitReader(file, want.size))
	if err != nil {
		return err
	}
	if size != want.size || hash.Sum32() != want.sum {
		return &damage{name, fmt.Errorf("the first %d bytes have checksum %08x, not %08x over %d", size, hash.Sum32(), want.sum, want.size)}
	}
	return nil
}

func readFile(disk vfs.FS, path string, bytesMax int64) (string, error) {
	file, err := disk.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, bytesMax))
	return string(text), err
}
