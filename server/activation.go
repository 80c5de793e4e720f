package server

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// firstInherited is the number of the first descriptor that a service manager passes: sd_listen_fds(3).
const firstInherited = 3

// Inherited returns the listening socket that the service manager has opened for us and keeps open while
// we restart, nil if there is none. It takes the variables out of the environment.
func Inherited() (net.Listener, error) {
	count, pid := takeEnv("LISTEN_FDS"), takeEnv("LISTEN_PID")
	_ = takeEnv("LISTEN_FDNAMES")
	if count == "" || pid != strconv.Itoa(os.Getpid()) {
		return nil, nil // none, or meant for a process that has started us
	}
	n, err := strconv.Atoi(count)
	if err != nil || n != 1 {
		return nil, fmt.Errorf("server: LISTEN_FDS=%s: expected one socket, the one that httpServer would listen on", count)
	}
	unix.CloseOnExec(firstInherited)
	return listenerOf(os.NewFile(firstInherited, "inherited socket"))
}

// listenerOf makes a listener of file and closes it.
func listenerOf(file *os.File) (net.Listener, error) {
	defer file.Close()
	ln, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("server: the socket handed over by the service manager: %w", err)
	}
	if _, ok := ln.(*net.TCPListener); !ok {
		_ = ln.Close()
		return nil, fmt.Errorf("server: the socket handed over by the service manager is on %s: expected TCP", ln.Addr().Network())
	}
	return ln, nil
}
