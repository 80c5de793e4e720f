package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"deepstream-fast/bench"
	"deepstream-fast/bench/load"
)

// The rivals beside the official server.
const (
	nats            bench.Server = "nats"             // NATS with a WebSocket port, see the folder of that name
	centrifuge      bench.Server = "centrifuge"       // a server made of the library centrifugal/centrifuge, see its folder
	centrifugeDelay bench.Server = "centrifuge-delay" // the same, collecting for centrifugeCollects before it writes
	uws             bench.Server = "uws"              // uWebSockets, if its sources are there; see its folder
)

const (
	centrifugeCollects = "1ms"
	uwsSources         = "UWEBSOCKETS" // the environment variable that says where they are
	uwsHowTo           = "git clone --recursive --branch v20.79.0 https://github.com/uNetworking/uWebSockets, then " + uwsSources + "=that folder"
)

var floors = []bench.Server{bench.F1, bench.F2}

// isRival reports whether s is not built by the rig itself.
func isRival(s bench.Server) bool {
	return slices.Contains([]bench.Server{nats, centrifuge, centrifugeDelay, uws, official}, s)
}

// built returns the servers that the rig makes itself.
func (p *plan) built() []bench.Server {
	all := []bench.Server{bench.FastAck, bench.Fast}
	for _, s := range p.servers {
		if !isRival(s) && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// leaveOut removes the servers that cannot take part on this machine and says how they could.
func (p *plan) leaveOut() {
	if slices.Contains(p.servers, uws) && os.Getenv(uwsSources) == "" {
		fmt.Fprintf(os.Stderr, "rivals: without uws, which needs its sources: %s\n", uwsHowTo)
		p.servers = slices.DeleteFunc(p.servers, func(s bench.Server) bool { return s == uws })
	}
}

// addRivals tells the rig how to start the others, as far as they take part, and returns their versions.
func (p *plan) addRivals() (versions string, err error) {
	var all []string
	add := func(takesPart bool, add func(*bench.Rig) (string, error)) {
		if !takesPart || err != nil {
			return
		}
		var version string
		version, err = add(p.rig)
		all = append(all, version)
	}
	in := func(s bench.Server) bool { return slices.Contains(p.servers, s) }
	add(in(uws), addUWS)
	add(in(centrifuge) || in(centrifugeDelay), addCentrifuge)
	add(in(nats), addNATS)
	add(in(official) || len(p.inFlight) > 0 || p.reads > 0, addOfficial)
	return strings.Join(all, ", "), err
}

// addNATS builds the server and tells the rig how to start it.
func addNATS(rig *bench.Rig) (version string, err error) {
	program, err := build(rig, "nats")
	if err != nil {
		return "", err
	}
	rig.AddSpeaking(nats, load.NATS, func(port string) []string { return []string{program, "127.0.0.1:" + port} })
	return "nats-server " + moduleVersion("github.com/nats-io/nats-server/v2"), nil
}

// addCentrifuge does the same for both ways in which it may write.
func addCentrifuge(rig *bench.Rig) (version string, err error) {
	program, err := build(rig, "centrifuge")
	if err != nil {
		return "", err
	}
	rig.AddSpeaking(centrifuge, load.Centrifuge, func(port string) []string { return []string{program, "127.0.0.1:" + port} })
	rig.AddSpeaking(centrifugeDelay, load.Centrifuge, func(port string) []string {
		return []string{program, "127.0.0.1:" + port, centrifugeCollects}
	})
	return "centrifuge " + moduleVersion("github.com/centrifugal/centrifuge"), nil
}

// build compiles the command in a folder of this module.
func build(rig *bench.Rig, folder string) (program string, err error) {
	program = rig.Path(folder)
	if out, err := exec.Command("go", "build", "-o", program, "./"+folder).CombinedOutput(); err != nil {
		return "", fmt.Errorf("rivals: build %s: %w\n%s", folder, err, out)
	}
	return program, nil
}

// moduleVersion returns the version of a module that this one requires.
func moduleVersion(path string) string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", path).Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}

// addUWS builds the server with the flags of the library's own makefiles, without TLS and compression, which
// nobody asks for.
func addUWS(rig *bench.Rig) (version string, err error) {
	sources := os.Getenv(uwsSources)
	inner := filepath.Join(sources, "uSockets", "src")
	var files []string
	for _, pattern := range []string{"*.c", "eventing/*.c", "crypto/*.c"} {
		found, err := filepath.Glob(filepath.Join(inner, pattern))
		if err != nil {
			return "", fmt.Errorf("rivals: %w", err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return "", fmt.Errorf("rivals: no sources in %s: %s", inner, uwsHowTo)
	}
	own, err := filepath.Abs(filepath.Join("uws", "uws.cpp"))
	if err != nil {
		return "", fmt.Errorf("rivals: %w", err)
	}
	objects, program := rig.Path("uws-objects"), rig.Path("uws")
	if err := os.Mkdir(objects, 0o700); err != nil {
		return "", fmt.Errorf("rivals: %w", err)
	}
	compile := append([]string{"cc", "-O3", "-flto", "-std=c11", "-DLIBUS_NO_SSL", "-I", inner, "-c"}, files...)
	link := "exec c++ -O3 -march=native -flto=auto -std=c++20 -DLIBUS_NO_SSL -DUWS_NO_ZLIB -w" +
		` -I "$1/src" -I "$1/uSockets/src" "$2" ./*.o -o "$3"`
	for _, argv := range [][]string{compile, {"sh", "-c", link, "sh", sources, own, program}} {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = objects
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("rivals: build uws from %s: %w\n%s", sources, err, out)
		}
	}
	rig.Add(uws, func(port string) []string { return []string{program, port} })
	return "uWebSockets " + describe(sources), nil
}

// describe names the version of a git checkout.
func describe(folder string) string {
	out, err := exec.Command("git", "-C", folder, "describe", "--tags", "--always").Output()
	if err != nil {
		return "of an unknown version"
	}
	return strings.TrimSpace(string(out))
}
