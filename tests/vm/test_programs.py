"""The programs of apps/: the manual's two, and the web server that `make run` boots."""
import pytest

from machine import ARCHS, Machine, app, get, make_image, open_connection, read_all


def config(name):
    return f"apps/{name}/{name}.yaml"


@pytest.mark.parametrize("arch", ARCHS)
@pytest.mark.parametrize("name", ["hello", "hello2015"])
def test_hello(arch, name, tmp_path):
    image = make_image(arch, app(arch, name), config(name), tmp_path / "image")
    with Machine(arch, image) as machine:
        assert machine.wait_end()[1:] == (0, "exit status 0")
        assert machine.console.splitlines().count("Hello, world") == 3


@pytest.mark.parametrize("arch", ARCHS)
def test_webserver(arch, tmp_path):
    image = make_image(arch, app(arch, "webserver"), config("webserver"), tmp_path / "image")
    with Machine(arch, image, guest_port=12345, cmdline="log=info") as machine:
        machine.wait_for("by DHCP")  # it prints nothing itself
        answers = set()
        for _ in range(3):
            with machine.connect() as s:
                s.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answers.add(read_all(s))
        assert len(answers) == 1
        assert answers.pop().startswith(b"HTTP/1.")


@pytest.fixture(scope="module", params=ARCHS)
def httpd(request, tmp_path_factory):
    """A running httpd with a document root of the test's own, and what lies in it."""
    root = tmp_path_factory.mktemp("httpd")
    files = {"index.html": b"<h1>hello</h1>\n", "big.bin": bytes(range(256)) * 4096,
             "sub/page.html": b"sub\n", "empty.txt": b"", "with space.txt": b"space\n"}
    for name, content in files.items():
        path = root / "htdocs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (root / "secret.txt").write_bytes(b"not granted\n")
    (root / "httpd.yaml").write_text(
        "%TAG ! tag:nuxi.nl,2015:cloudabi/\n---\nlistener: !socket\n  bind: 0.0.0.0:8080\n"
        "root: !file\n  path: htdocs\nlog: !fd stdout\nthreads: 3\n")
    image = make_image(request.param, app(request.param, "httpd"), str(root / "httpd.yaml"),
                       root / "image")
    with Machine(request.param, image, guest_port=8080) as machine:
        machine.files = files
        machine.wait_for("serving")
        yield machine


def test_httpd_serves_files_on_one_connection(httpd):
    with httpd.connect() as s:
        for name, content in httpd.files.items():
            status, headers, body = get(s, "/" + name.replace(" ", "%20"))
            assert (status, body) == (200, content), name
        status, headers, body = get(s, "/")
        assert (status, body) == (200, httpd.files["index.html"])
        assert headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("path", ["/missing", "/../secret.txt", "/%2e%2e/secret.txt",
                                  "/sub/../../secret.txt", "//etc/passwd"])
def test_httpd_refuses(httpd, path):
    with httpd.connect() as s:
        status, _, body = get(s, path, close=True)
        assert status in (400, 403, 404)
        assert b"not granted" not in body


def test_httpd_answers_many_at_once(httpd):
    sockets = [open_connection(httpd, "/empty.txt") for _ in range(64)]
    for s in sockets:
        s.sendall(b"GET /big.bin HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
    for s in sockets:
        data = read_all(s)
        assert data.split(b"\r\n\r\n", 1)[1] == httpd.files["big.bin"]
        s.close()


def test_httpd_logs_requests(httpd):
    with httpd.connect() as s:
        get(s, "/sub/page.html", close=True)
    httpd.wait_for("/sub/page.html")


def test_httpd_bad_request(httpd):
    with httpd.connect() as s:
        s.sendall(b"nonsense\r\n\r\n")
        assert read_all(s).startswith(b"HTTP/1.1 400")


def test_httpd_requests_in_pieces(httpd):
    with httpd.connect() as s:
        for byte in b"GET /sub/page.html HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n":
            s.sendall(bytes([byte]))
        assert read_all(s).endswith(b"sub\n")
