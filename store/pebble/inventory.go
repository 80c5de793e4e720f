package pebble

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"

	"github.com/cockroachdb/pebble/v2/vfs"

	"deepstream-fast/store"
)

// The inventory lists the files of a folder at rest, after Close or in a backup, with size and
// checksum. Pebble must take a log or manifest that ends early for one that a crash cut off, and
// deletes the tables that a cut manifest does not know; of a folder at rest we know better. Tables
// are not listed: the manifest knows their sizes, and their blocks have checksums.
const inventoryName = "INVENTORY"

// inventoryBytesMax is more than the lines of all files a folder at rest can have.
const inventoryBytesMax = 1 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// writeInventory replaces the inventory of dir. Nobody may have the database open.
func writeInventory(disk vfs.FS, dir string) error {
	var text strings.Builder
	names, err := disk.List(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.HasSuffix(name, ".log") && !strings.HasPrefix(name, "MANIFEST-") &&
			!strings.HasPrefix(name, "OPTIONS-") && !strings.HasPrefix(name, "marker.") {
			continue
		}
		size, sum, err := measure(disk, disk.PathJoin(dir, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%08x %d %s\n", sum, size, name)
	}
	return replaceFile(disk, dir, inventoryName, text.String())
}

// verifyInventory compares dir with its inventory. There is none after a crash: then it returns nil.
func verifyInventory(disk vfs.FS, dir string) error {
	text, err := readFile(disk, disk.PathJoin(dir, inventoryName), inventoryBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for line := range strings.Lines(text) {
		var sum uint32
		var size int64
		var name string
		if n, _ := fmt.Sscanf(line, "%08x %d %s\n", &sum, &size, &name); n != 3 {
			return fmt.Errorf("%w: line %.80q", &damage{inventoryName, store.ErrCorrupt}, line)
		}
		gotSize, gotSum, err := measure(disk, disk.PathJoin(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return &damage{name, errors.New("it is missing")}
		}
		if err != nil {
			return err
		}
		if gotSize != size || gotSum != sum {
			return &damage{name, fmt.Errorf("%d bytes with checksum %08x, the store left %d with %08x", gotSize, gotSum, size, sum)}
		}
	}
	return nil
}

// verifyFiles checks what Pebble cannot: a folder at rest against its inventory, and its manifest
// against the last sum.
func verifyFiles(disk vfs.FS, dir string) error {
	if err := verifyInventory(disk, dir); err != nil {
		return err
	}
	return verifyManifest(disk, dir)
}

// removeInventory is called before the first change of dir.
func removeInventory(disk vfs.FS, dir string) error {
	err := disk.Remove(disk.PathJoin(dir, inventoryName))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, syncDir(disk, dir))
}

func measure(disk vfs.FS, path string) (size int64, sum uint32, err error) {
	file, err := disk.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer file.Close()
	hash := crc32.New(castagnoli)
	size, err = io.Copy(hash, file)
	return size, hash.Sum32(), err
}

// replaceFile writes a file so that it is there whole or not at all.
func replaceFile(disk vfs.FS, dir, name, text string) error {
	path := disk.PathJoin(dir, name)
	file, err := disk.Create(path+".tmp", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write([]byte(text))
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	return errors.Join(disk.Rename(path+".tmp", path), syncDir(disk, dir))
}

func syncDir(disk vfs.FS, dir string) error {
	d, err := disk.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
