import os, signal, sys, time, threading, subprocess
from partita import pipeline, step
@step(enable_cache=False)
def stopped_leaving() -> int:
    # a daemon thread stops the process right when it leaves
    def w():
        import _thread
        while True:
            try:
                os.fstat(int(os.environ["PROBE"]))
            except OSError:
                os.kill(os.getpid(), signal.SIGSTOP)
    f = open("/tmp/v3/probe", "w"); os.environ["PROBE"] = str(f.fileno())
    globals()["F"] = f
    sys.setswitchinterval(1e-6)
    threading.Thread(target=w, daemon=True).start()
    return 1
@step(enable_cache=False)
def nxt(x: int) -> int:
    time.sleep(1)
    return x
@pipeline
def leaving():
    nxt(stopped_leaving())
