package server

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"deepstream-fast/config"
	"deepstream-fast/store/pebble"
)

// A running server holds the lock on its data folder, so whoever wants a backup has to ask it. It
// listens on a socket in that folder, which only its own user may open: one connection, one line of
// JSON each way.
const (
	controlName      = "control.sock"
	controlTimeout   = 5 * time.Second // for the request to arrive
	controlBytesMax  = 64 << 10        // of a request or an answer
	controlConnsMax  = 4               // at a time; further ones wait in the kernel's queue
	controlFileMode  = 0o600
	controlDirHandle = "/proc/self/fd/" // keeps the address below the 108 bytes that a socket's may have
)

// controlRequest is what can be asked for.
type controlRequest struct {
	Backup string `json:"backup,omitempty"` // absolute path of the folder to be made
	Reload bool   `json:"reload,omitempty"` // read the configuration again
}

// controlAnswer says how it went: no error is success.
type controlAnswer struct {
	Error   string  `json:"error,omitempty"`
	Changed Changed `json:"changed,omitzero"` // of a reload
}

// control answers requests until it is closed.
type control struct {
	// Set by listenControl, then constant.
	listener net.Listener
	backup   func(dir string) error
	log      *slog.Logger
	done     sync.WaitGroup // the acceptors, each with the request it answers

	reload atomic.Pointer[Reloader] // nil: not yet
}

// listenControl opens the socket in dir, whose lock the caller holds: one that is there is a leftover.
func listenControl(dir string, backup func(string) error, log *slog.Logger) (*control, error) {
	var ln net.Listener
	err := inFolder(dir, func(address string) (err error) {
		if err := os.Remove(address); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		lc := net.ListenConfig{Control: restrict}
		ln, err = lc.Listen(context.Background(), "unix", address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("server: control socket in %s: %w", dir, err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // the address it knows is good no longer
	c := &control{listener: ln, backup: backup, log: log}
	for range controlConnsMax {
		c.done.Go(c.serve) // ends when close has closed the listener, and waits for it
	}
	return c, nil
}

// restrict sets the mode that the socket gets when it is bound, so that it never has another.
func restrict(_, _ string, raw syscall.RawConn) error {
	var err error
	if controlErr := raw.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), controlFileMode) }); controlErr != nil {
		return controlErr
	}
	return err
}

// inFolder calls f with a short address of the control socket in dir.
func inFolder(dir string, f func(address string) error) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return f(controlDirHandle + strconv.Itoa(int(d.Fd())) + "/" + controlName)
}

func (c *control) serve() {
	for {
		conn, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.answer(conn)
		_ = conn.Close()
	}
}

// answer carries out one request.
func (c *control) answer(conn net.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(controlTimeout))
	var q controlRequest
	var a controlAnswer
	if err := json.NewDecoder(io.LimitReader(conn, controlBytesMax)).Decode(&q); err != nil {
		a.Error = "not a request: " + err.Error()
	} else if err := c.carryOut(&q, &a); err != nil {
		a.Error = err.Error()
	}
	_ = conn.SetWriteDeadline(time.Now().Add(controlTimeout))
	_ = json.NewEncoder(conn).Encode(&a) // who does not wait for the answer does not need it
}

func (c *control) carryOut(q *controlRequest, a *controlAnswer) (err error) {
	if q.Reload {
		r := c.reload.Load()
		if r == nil {
			return errors.New("the server has not started yet")
		}
		a.Changed, err = r.Reload()
		return err
	}
	if !filepath.IsAbs(q.Backup) {
		return fmt.Errorf("backup: %q is not an absolute path", q.Backup)
	}
	if err := c.backup(q.Backup); err != nil {
		c.log.Warn("backup failed", "event", "BACKUP", "folder", q.Backup, "error", err)
		return err
	}
	c.log.Info("backup made", "event", "BACKUP", "folder", q.Backup)
	return nil
}

// close refuses further requests and waits for those that are being carried out. The socket stays, and
// whoever asks it finds out that nobody answers.
func (c *control) close() {
	if c == nil {
		return
	}
	_ = c.listener.Close()
	c.done.Wait()
}

// Backup makes a consistent copy of the data folder in dir, which must not exist: by the server that has
// the folder open, and while it runs, else by itself.
func Backup(cfg *config.Config, dir string, log *slog.Logger) error {
	data, ok := DataDir(cfg)
	if !ok {
		return errors.New("backup: storage.type is none: there is nothing to back up")
	}
	if _, err := os.Stat(data); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	running, _, err := askServer(data, &controlRequest{Backup: dir})
	if running || err != nil {
		return err
	}
	st, err := pebble.Open(storageOptions(cfg, data, log))
	if err != nil {
		return err
	}
	return errors.Join(st.Backup(dir), st.Close())
}

// AskReload has the server that runs with cfg read its configuration again, and returns what that changed.
func AskReload(cfg *config.Config) (Changed, error) {
	data, ok := DataDir(cfg)
	if !ok {
		return Changed{}, errors.New("reload: with storage.type none there is no folder to reach the server by; send it SIGHUP")
	}
	running, a, err := askServer(data, &controlRequest{Reload: true})
	if err == nil && !running {
		err = fmt.Errorf("reload: no server runs on %s", data)
	}
	return a.Changed, err
}

// askServer sends q to the server that has the folder open, and reports false if there is none.
func askServer(data string, q *controlRequest) (running bool, a controlAnswer, err error) {
	var conn net.Conn
	err = inFolder(data, func(address string) (err error) {
		conn, err = net.Dial("unix", address)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return false, a, nil
	}
	if err != nil {
		return false, a, fmt.Errorf("ask the running server: %w", err)
	}
	defer conn.Close()
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return true, a, fmt.Errorf("ask the running server: %w", err)
	}
	line, err := bufio.NewReader(io.LimitReader(conn, controlBytesMax)).ReadBytes('\n')
	if err != nil {
		return true, a, fmt.Errorf("the running server gave no answer: %w", err)
	}
	if err := json.Unmarshal(line, &a); err != nil {
		return true, a, fmt.Errorf("the running server answered %q", line)
	}
	if a.Error != "" {
		return true, a, errors.New(a.Error)
	}
	return true, a, nil
}

// CheckData verifies the data folder of a server that does not run, and changes nothing.
func CheckData(cfg *config.Config, log *slog.Logger) (dir string, r pebble.Report, err error) {
	dir, ok := DataDir(cfg)
	if !ok {
		return "", r, errors.New("check: storage.type is none: there is nothing to check")
	}
	r, err = pebble.Check(storageOptions(cfg, dir, log))
	return dir, r, err
}
