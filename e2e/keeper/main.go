// Command keeper stands in for a service manager in the tests of socket activation: it listens, accepts
// nobody, and runs one server after the other on that socket.
//
//	keeper BINARY ARGUMENT...
//
// It prints "listening PORT" first. Then it obeys lines on its standard input: "start" runs the command
// with the socket as descriptor 3, "stop" sends it SIGTERM, "hup" SIGHUP, and prints "started" and
// "exited CODE" as that happens. Everything ends with its standard input. What the server logs goes to
// standard error, and what it tells the manager is printed as "notified" and a quoted text.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "keeper:", err)
		os.Exit(1)
	}
}

// keeper runs one server at a time.
type keeper struct {
	// Set by run, then constant.
	command []string
	socket  *os.File
	notify  string // address of the socket for sd_notify

	mu     sync.Mutex // guards what is printed
	server *exec.Cmd
	exited chan struct{}
}

func run(command []string) error {
	if len(command) == 0 {
		return errors.New("no command")
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	k := &keeper{command: command}
	if k.socket, err = ln.(*net.TCPListener).File(); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "keeper")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	k.notify = filepath.Join(dir, "notify")
	heard, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: k.notify, Net: "unixgram"})
	if err != nil {
		return err
	}
	go k.listen(heard) // ends with the process
	k.say("listening %d", ln.Addr().(*net.TCPAddr).Port)
	return k.obey(bufio.NewScanner(os.Stdin))
}

func (k *keeper) say(format string, args ...any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	fmt.Fprintf(os.Stdout, format+"\n", args...)
}

func (k *keeper) listen(heard *net.UnixConn) {
	b := make([]byte, 4096)
	for {
		n, err := heard.Read(b)
		if err != nil {
			return
		}
		k.say("notified %q", b[:n])
	}
}

func (k *keeper) obey(lines *bufio.Scanner) error {
	for lines.Scan() {
		var err error
		switch lines.Text() {
		case "start":
			err = k.start()
		case "stop":
			err = k.server.Process.Signal(syscall.SIGTERM)
		case "hup":
			err = k.server.Process.Signal(syscall.SIGHUP)
		default:
			err = fmt.Errorf("unknown order %q", lines.Text())
		}
		if err != nil {
			return err
		}
	}
	if k.server != nil {
		_ = k.server.Process.Kill()
		<-k.exited
	}
	return lines.Err()
}

// start runs the server under a shell, which knows the process number that the server will have.
func (k *keeper) start() error {
	k.server = exec.Command("/bin/sh", append([]string{"-c", `LISTEN_PID=$$ exec "$0" "$@"`}, k.command...)...)
	k.server.Env = append(os.Environ(), "LISTEN_FDS=1", "NOTIFY_SOCKET="+k.notify, "WATCHDOG_USEC=300000")
	k.server.Stdout, k.server.Stderr = os.Stderr, os.Stderr
	k.server.ExtraFiles = []*os.File{k.socket}
	k.server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := k.server.Start(); err != nil {
		return err
	}
	k.say("started")
	exited, server := make(chan struct{}), k.server
	k.exited = exited
	go func() { // ends with the server
		_ = server.Wait()
		k.say("exited %d", server.ProcessState.ExitCode())
		close(exited)
	}()
	return nil
}
