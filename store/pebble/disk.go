package pebble

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"deepstream-fast/store"
)

// disk is the file system as one opened database sees it. It stands between Pebble, which ends the
// process when it cannot write its log or manifest, and disks that are full or read-only.
//
// The first error of an operation that changes the folder seals the disk: from then on such
// operations, the failed one included, do nothing and report success. Pebble carries on with a
// world that exists only in its head, and does not panic, retry or delete, until the committer,
// which looks at Err before it believes a commit, throws it away and opens the folder anew. An
// fsync that failed is therefore never repeated on the same file, which Linux would let succeed
// without having written anything.
//
// Other folders, those of backups, report their errors and seal nothing. Safe for concurrent use.
type disk struct {
	vfs.FS
	dir    string
	sealed func() // called once, on the goroutine that failed; must not block

	logBytes int64            // that a new log is given at once; 0: none
	syncs    *store.Histogram // what fsyncs take

	cause atomic.Pointer[error]
}

const opRemove = "remove"

// Err returns what sealed the disk, or nil.
func (d *disk) Err() error {
	if cause := d.cause.Load(); cause != nil {
		return *cause
	}
	return nil
}

// seal makes err the cause, unless there is one.
func (d *disk) seal(err error) {
	if d.cause.CompareAndSwap(nil, &err) {
		d.sealed()
	}
}

// guards reports whether path is in the folder of the database.
func (d *disk) guards(path string) bool {
	return path == d.dir || strings.HasPrefix(path, d.dir+string(os.PathSeparator)) || strings.HasPrefix(path, d.dir+"/")
}

// do runs an operation that changes path, and seals the disk if it fails. That a file to remove is
// missing is no failure of the disk.
func (d *disk) do(op, path string, f func() error) error {
	if !d.guards(path) {
		return f()
	}
	if d.Err() != nil {
		return nil
	}
	err := f()
	if err == nil || op == opRemove && errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !strings.Contains(err.Error(), path) { // the os package says both, others neither
		err = fmt.Errorf("%s %s: %w", op, path, err)
	}
	d.seal(err)
	return nil
}

// open is do for operations that yield a file to write to. On a sealed disk that is no file at all.
func (d *disk) open(op, path string, f func() (vfs.File, error)) (vfs.File, error) {
	var file vfs.File
	err := d.do(op, path, func() (err error) {
		file, err = f()
		return err
	})
	if err != nil || !d.guards(path) {
		return file, err
	}
	if file == nil {
		file = nowhere{}
	}
	guarded := &diskFile{File: file, d: d, path: path}
	if isManifest(path) {
		guarded.manifest = &manifestSum{}
	}
	return guarded, nil
}

func (d *disk) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.open("create", name, func() (vfs.File, error) {
		file, err := d.FS.Create(name, category)
		if err == nil && strings.HasSuffix(name, ".log") && d.guards(name) {
			d.lengthen(file)
		}
		return file, err
	})
}

// lengthen gives a new log its full size. While a file grows, each fdatasync also has to write its
// inode, and wait for that: without, a commit costs a third less. Pebble reuses logs, so this happens to
// the first few only, and not where space is short. That it fails matters to nobody.
func (d *disk) lengthen(file vfs.File) {
	if d.logBytes == 0 {
		return
	}
	if usage, err := d.GetDiskUsage(d.dir); err != nil || usage.AvailBytes < logSpaceMin*uint64(d.logBytes) {
		return
	}
	zeros := make([]byte, 1<<20)
	for off := int64(0); off < d.logBytes; off += int64(len(zeros)) {
		if _, err := file.WriteAt(zeros[:min(int64(len(zeros)), d.logBytes-off)], off); err != nil {
			return
		}
	}
	_ = file.Sync()
}

// logSpaceMin is how often the size of a log must be free for logs to be lengthened.
const logSpaceMin = 64

func (d *disk) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return d.open("open", name, func() (vfs.File, error) { return d.FS.OpenReadWrite(name, category, opts...) })
}

func (d *disk) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	return d.open("reuse", newname, func() (vfs.File, error) { return d.FS.ReuseForWrite(oldname, newname, category) })
}

// OpenDir is among the writing operations because what one does with a folder is to sync it.
func (d *disk) OpenDir(name string) (vfs.File, error) {
	return d.open("open", name, func() (vfs.File, error) { return d.FS.OpenDir(name) })
}

func (d *disk) Link(oldname, newname string) error {
	return d.do("link", newname, func() error { return d.FS.Link(oldname, newname) })
}

func (d *disk) Remove(name string) error {
	return d.do(opRemove, name, func() error { return d.FS.Remove(name) })
}

func (d *disk) RemoveAll(name string) error {
	return d.do(opRemove, name, func() error { return d.FS.RemoveAll(name) })
}

func (d *disk) Rename(oldname, newname string) error {
	return d.do("rename", newname, func() error { return d.FS.Rename(oldname, newname) })
}

func (d *disk) MkdirAll(name string, perm os.FileMode) error {
	return d.do("create", name, func() error { return d.FS.MkdirAll(name, perm) })
}

func (d *disk) Unwrap() vfs.FS { return d.FS }

// sync runs an fsync of path, and notes what it takes.
func (d *disk) sync(path string, f func() error) error {
	start := time.Now()
	err := d.do("sync", path, f)
	d.syncs.Observe(time.Since(start))
	return err
}

// diskFile is a file of the database that was opened to be written.
type diskFile struct {
	vfs.File
	d        *disk
	path     string
	manifest *manifestSum // nil unless it is one
}

func (f *diskFile) Write(p []byte) (int, error) {
	if f.manifest != nil {
		f.manifest.add(p)
	}
	return len(p), f.d.do("write", f.path, func() error { _, err := f.File.Write(p); return err })
}

func (f *diskFile) WriteAt(p []byte, off int64) (int, error) {
	return len(p), f.d.do("write", f.path, func() error { _, err := f.File.WriteAt(p, off); return err })
}

func (f *diskFile) Sync() error {
	err := f.d.sync(f.path, f.File.Sync)
	if f.manifest != nil && f.d.Err() == nil {
		f.manifest.save(f.d.FS, f.path)
	}
	return err
}

func (f *diskFile) SyncData() error { return f.d.sync(f.path, f.File.SyncData) }

func (f *diskFile) SyncTo(length int64) (full bool, err error) {
	err = f.d.do("sync", f.path, func() error { full, err = f.File.SyncTo(length); return err })
	return full, err
}

// Stat is what Pebble does with a log it is about to write to, and cannot bear to fail.
func (f *diskFile) Stat() (vfs.FileInfo, error) {
	info, err := f.File.Stat()
	if err != nil {
		f.d.seal(fmt.Errorf("stat %s: %w", f.path, err))
		return emptyInfo{}, nil
	}
	return info, nil
}

// Preallocate is a hint that many file systems refuse: its failure tells nothing.
func (f *diskFile) Preallocate(offset, length int64) error {
	if f.d.Err() != nil {
		return nil
	}
	return f.File.Preallocate(offset, length)
}

// Close reaches the file on a sealed disk too: a descriptor is no change of the folder.
func (f *diskFile) Close() error {
	if err := f.File.Close(); err != nil {
		f.d.seal(fmt.Errorf("close %s: %w", f.path, err))
	}
	return nil
}

// nowhere is the file one gets from a sealed disk. It is written to through a diskFile alone, and
// thus never.
type nowhere struct{}

var errSealed = errors.New("disk is sealed")

// emptyInfo describes a file that there is none of.
type emptyInfo struct{}

func (emptyInfo) Name() string           { return "" }
func (emptyInfo) Size() int64            { return 0 }
func (emptyInfo) Mode() fs.FileMode      { return 0 }
func (emptyInfo) ModTime() time.Time     { return time.Time{} }
func (emptyInfo) IsDir() bool            { return false }
func (emptyInfo) Sys() any               { return nil }
func (emptyInfo) DeviceID() vfs.DeviceID { return vfs.DeviceID{} }

func (nowhere) Read([]byte) (int, error)           { return 0, errSealed }
func (nowhere) ReadAt([]byte, int64) (int, error)  { return 0, errSealed }
func (nowhere) Write([]byte) (int, error)          { return 0, errSealed }
func (nowhere) WriteAt([]byte, int64) (int, error) { return 0, errSealed }
func (nowhere) Preallocate(int64, int64) error     { return nil }
func (nowhere) Stat() (vfs.FileInfo, error)        { return nil, errSealed }
func (nowhere) Sync() error                        { return errSealed }
func (nowhere) SyncTo(int64) (bool, error)         { return false, errSealed }
func (nowhere) SyncData() error                    { return errSealed }
func (nowhere) Prefetch(int64, int64) error        { return nil }
func (nowhere) Fd() uintptr                        { return vfs.InvalidFd }
func (nowhere) Close() error                       { return nil }
