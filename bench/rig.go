package bench

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"deepstream-fast/bench/load"
)

// Server names what is measured.
type Server string

// The servers: ours, keeping nothing or with a storage of each durability, and the two floors.
const (
	Fast         Server = "fast"
	FastAck      Server = "fast-ack"
	FastInterval Server = "fast-interval"
	FastNone     Server = "fast-none"
	F1           Server = "f1"
	F2           Server = "f2"
)

// durabilities are the values of storage.options.durability.
var durabilities = map[Server]string{FastAck: "ack", FastInterval: "interval", FastNone: "none"}

const (
	module       = "deepstream-fast"
	startTimeout = 10 * time.Second
	stderrMax    = 64 << 10 // bytes kept of what a server says
)

// configOf returns the configuration of one of our servers: quiet, storage as said, everything else
// the default.
func configOf(s Server) string {
	storage := `type = "none"`
	if d, ok := durabilities[s]; ok {
		storage = fmt.Sprintf("type = \"default\"\noptions = { path = %q, durability = %q }", dataOf(s), d)
	}
	return "logLevel = \"ERROR\"\n\n[storage]\n" + storage + "\n" + secured(s)
}

// dataOf returns the folder of a server's records, empty at every start.
func dataOf(s Server) string { return "data-" + string(s) }

// Rig is a folder with freshly built servers and the two CPUs they and the driver run on.
type Rig struct {
	dir       string
	others    map[Server]func(port string) []string
	logins    map[Server]string // credentials, where {} is not enough
	dialects  map[Server]load.Dialect
	roots     *x509.CertPool // of FastTLS
	serverCPU int
	pinned    bool
	lifeMax   time.Duration // of a process; 0: no bound
}

// NewRig builds the given servers. With pin it also moves this process to the second of the CPUs it
// may use, for good, and will start servers on the first.
func NewRig(pin bool, servers ...Server) (*Rig, error) {
	dir, err := os.MkdirTemp("", "deepstream-bench-")
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	r := &Rig{dir: dir, others: map[Server]func(string) []string{}, logins: map[Server]string{}, dialects: map[Server]load.Dialect{}}
	if err := r.setUp(pin, servers); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// Pin does what NewRig does with pin, for one that has built without.
func (r *Rig) Pin() (err error) {
	r.pinned = true
	r.serverCPU, err = pinDriver()
	return err
}

// Limit bounds how long a server that is started from now on may live: then it is killed, and whoever
// measures it fails. So a contestant that stalls, or only trickles, cannot hang a run.
func (r *Rig) Limit(d time.Duration) { r.lifeMax = d }

func (r *Rig) setUp(pin bool, servers []Server) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	for _, s := range servers {
		if err := r.build(root, s); err != nil {
			return err
		}
	}
	if err := raiseFileLimit(); err != nil {
		return err
	}
	if !pin {
		return nil
	}
	return r.Pin()
}

// Close removes the built servers. Processes are stopped one by one, see Process.Stop.
func (r *Rig) Close() { _ = os.RemoveAll(r.dir) }

// Path returns where a file of that name lies in the rig's folder, which Close removes.
func (r *Rig) Path(name string) string { return filepath.Join(r.dir, name) }

// Add makes s a server that is started with the command that argv returns, on a loopback port.
func (r *Rig) Add(s Server, argv func(port string) []string) { r.others[s] = argv }

// AddSpeaking is Add for a server that speaks another dialect.
func (r *Rig) AddSpeaking(s Server, d load.Dialect, argv func(port string) []string) {
	r.dialects[s] = d
	r.Add(s, argv)
}

// AddConfigured makes s our server with the given configuration, where logins need credentials: the text
// of a JSON object. Fast must be one of the rig's servers.
func (r *Rig) AddConfigured(s Server, config, credentials string) error {
	r.logins[s] = credentials
	return r.addProgram(s, r.binary(Fast), config)
}

// addProgram makes s a build of our server with the given configuration.
func (r *Rig) addProgram(s Server, program, config string) error {
	if err := os.WriteFile(r.config(s), []byte(config), 0o600); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	r.Add(s, func(port string) []string {
		return []string{program, "-c", r.config(s), "--host", "127.0.0.1", "--port", port}
	})
	return nil
}

// AddVariant makes s a server like one of ours, built with other flags of go build.
func (r *Rig) AddVariant(s, like Server, flags ...string) error {
	return r.addVariant(s, configLike(s, like), flags...)
}

func (r *Rig) addVariant(s Server, config string, flags ...string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	program := r.Path(string(s) + ".bin")
	if err := buildServer(root, program, flags...); err != nil {
		return err
	}
	return r.addProgram(s, program, config)
}

// configLike returns the configuration of like with a folder for data of s's own.
func configLike(s, like Server) string {
	return strings.ReplaceAll(configOf(like), strconv.Quote(dataOf(like)), strconv.Quote(dataOf(s)))
}

// buildServer builds our server from the module at root.
func buildServer(root, program string, flags ...string) error {
	cmd := exec.Command("go", append(append([]string{"build", "-o", program}, flags...), "./cmd/deepstream-fast")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("bench: build %s: %w\n%s", filepath.Base(program), err, out)
	}
	return nil
}

// AddProfiled makes s a server like one of ours that serves profiles at the returned address. They do not say
// in which folder it was built.
func (r *Rig) AddProfiled(s, like Server) (addr string, err error) {
	port, err := freePort()
	if err != nil {
		return "", err
	}
	config := configLike(s, like) + "\n[monitoringServer]\nenabled = true\npprof = true\nport = " + port + "\n"
	return net.JoinHostPort("127.0.0.1", port), r.addVariant(s, config, "-trimpath")
}

// ours reports whether s is deepstream-fast.
func (s Server) ours() bool { return s == Fast || s == FastTLS || durabilities[s] != "" }

func (r *Rig) binary(s Server) string {
	if s.ours() {
		s = Fast
	}
	return filepath.Join(r.dir, string(s))
}

func (r *Rig) config(s Server) string { return filepath.Join(r.dir, string(s)+".toml") }

func (r *Rig) build(root string, s Server) error {
	var cmd *exec.Cmd
	switch {
	case s.ours():
		if err := os.WriteFile(r.config(s), []byte(configOf(s)), 0o600); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
		if s == FastTLS {
			if err := r.certify(); err != nil {
				return err
			}
		}
		if _, err := os.Stat(r.binary(s)); err == nil {
			return nil // the same program with another configuration
		}
		return buildServer(root, r.binary(s))
	case s == F1 || s == F2:
		cmd = exec.Command("cc", "-O2", "-o", r.binary(s), filepath.Join("bench", "floor", string(s)+".c"))
	default:
		return fmt.Errorf("bench: unknown server %q, want %s, %s, %s, %s, %s or %s", s, Fast, FastAck, FastInterval, FastNone, F1, F2)
	}
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("bench: build %s: %w\n%s", s, err, out)
	}
	return nil
}

// argv returns the command that runs s on port.
func (r *Rig) argv(s Server, port string) []string {
	if other := r.others[s]; other != nil {
		return other(port)
	}
	if s.ours() {
		return []string{r.binary(s), "-c", r.config(s), "--host", "127.0.0.1", "--port", port}
	}
	return []string{r.binary(s), port}
}

// moduleRoot finds the server's module, also from the nested one of the rivals.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("bench: run inside the module %s: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// raiseFileLimit sets the soft limit of open files to the hard one. Doing so explicitly also makes
// child processes inherit it: the Go runtime hides the limit it raised by itself from them.
func raiseFileLimit() error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("bench: file limit: %w", err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("bench: file limit: %w", err)
	}
	return nil
}

// Process is one running server.
type Process struct {
	Addr string

	cmd    *exec.Cmd
	stderr *tail
	exited chan struct{} // closed when the process has been waited for
}

// Start runs s on a free loopback port, with no records, and returns once it lets somebody log in. env
// is added to the environment. The caller stops it; one server of a kind runs at a time.
func (r *Rig) Start(s Server, env ...string) (*Process, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(filepath.Join(r.dir, dataOf(s))); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	argv := r.argv(s, port)
	if r.pinned {
		argv = append([]string{"taskset", "-c", strconv.Itoa(r.serverCPU)}, argv...)
	}
	p := &Process{Addr: net.JoinHostPort("127.0.0.1", port), cmd: exec.Command(argv[0], argv[1:]...), stderr: &tail{}, exited: make(chan struct{})}
	p.cmd.Dir = r.dir
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stderr = p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: start %s: %w", s, err)
	}
	cancel := p.killAfter(r.lifeMax)
	go func() { // ends with the process, which Stop kills and then waits for here
		_ = p.cmd.Wait()
		cancel()
		close(p.exited)
	}()
	if err := p.awaitLogin(r.login(s)); err != nil {
		p.Stop()
		return nil, fmt.Errorf("bench: start %s: %w\n%s", s, err, p.stderr)
	}
	return p, nil
}

// killAfter kills the process after d, if that is not 0, and says so in what the process has said.
func (p *Process) killAfter(d time.Duration) (cancel func()) {
	if d == 0 {
		return func() {}
	}
	timer := time.AfterFunc(d, func() {
		fmt.Fprintf(p.stderr, "bench: killed after %v, which is more than a measurement may take\n", d)
		_ = p.cmd.Process.Kill()
	})
	return func() { timer.Stop() }
}

func (p *Process) awaitLogin(login func(addr string) error) error {
	deadline := time.After(startTimeout)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		err := login(p.Addr)
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return errors.New("the process ended")
		case <-deadline:
			return err
		case <-again.C:
		}
	}
}

// Stop kills the process and waits until it is gone. A second call does nothing.
func (p *Process) Stop() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// CPU returns the user and system time the process has used, threads that ended included.
func (p *Process) CPU() (time.Duration, error) {
	// The clock id of another process: see clock_getcpuclockid(3).
	clock := int32(^p.cmd.Process.Pid)<<3 | 2
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("bench: CPU clock of pid %d: %w", p.cmd.Process.Pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// RSS returns the resident bytes of the process, counted page by page; the cheaper figure in
// /proc/pid/status may be off by hundreds of pages.
func (p *Process) RSS() (int64, error) {
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	for line := range strings.Lines(string(rollup)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "Rss: %d kB", &kib); err == nil {
			return kib << 10, nil
		}
	}
	return 0, errors.New("bench: no Rss in smaps_rollup")
}

// Stderr returns the end of what the process has said.
func (p *Process) Stderr() string { return p.stderr.String() }

func freePort() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// pinDriver moves every thread of this process to the second CPU it may use and returns the first.
// Threads to come inherit the CPU from the thread that makes them.
func pinDriver() (serverCPU int, err error) {
	var allowed unix.CPUSet
	if err := unix.SchedGetaffinity(0, &allowed); err != nil {
		return 0, fmt.Errorf("bench: affinity: %w", err)
	}
	cpus := allowedCPUs(&allowed)
	if pinnedFrom != nil { // a second rig of this process
		cpus = pinnedFrom
	}
	if len(cpus) < 2 {
		return 0, errors.New("bench: needs two CPUs, one for the server and one for the driver")
	}
	pinnedFrom = cpus
	var driver unix.CPUSet
	driver.Set(cpus[1])
	// A thread may be born while we walk the list; the second walk finds it, or it was born pinned.
	for range 2 {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return 0, fmt.Errorf("bench: %w", err)
		}
		for _, t := range tasks {
			tid, _ := strconv.Atoi(t.Name())
			if err := unix.SchedSetaffinity(tid, &driver); err != nil && err != unix.ESRCH {
				return 0, fmt.Errorf("bench: affinity of thread %d: %w", tid, err)
			}
		}
	}
	return cpus[0], nil
}

// pinnedFrom is what this process could use before pinDriver. Set once, by the first pinned rig;
// rigs are made one after the other.
var pinnedFrom []int

func allowedCPUs(set *unix.CPUSet) []int {
	var cpus []int
	for cpu := range 8 * len(set) * (strconv.IntSize / 8) {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

// tail keeps the last stderrMax bytes written to it.
type tail struct {
	mu  sync.Mutex // guards the field below
	buf bytes.Buffer
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(p)
	t.buf.Next(max(0, t.buf.Len()-stderrMax))
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.buf.String()
}
