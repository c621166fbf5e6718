"""Pages that are not the page, and pages that only look so. All of our own making, after the shapes that sites send."""

from dataclasses import dataclass, field

BLOCKED, LOGIN, GONE, EMPTY = "site_blocked", "login_required", "soft_404", "empty_page"

MENU = "<nav><ul>" + "".join(f'<li><a href="/m{n}">Department {n}</a></li>' for n in range(40)) + "</ul></nav>"
FOOT = "<footer><p>" + " ".join(f'<a href="/f{n}">Imprint {n}</a>' for n in range(20)) + "</p></footer>"
STORY = "".join(
    f"<p>On day {n} the expedition went on along the river, measured its depth at {n * 7} places, and wrote down what the"
    f" people of village {n} told of the flood. Nobody had expected that much water so late in the year.</p>"
    for n in range(1, 8)
)


@dataclass(frozen=True)
class Given:
    """An answer. `url` is where it was found, `requested` what was asked for."""

    name: str
    html: str
    code: str | None = None
    url: str = "https://example.com/reports/2024/river.html"
    requested: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


def page(title: str, body: str, head: str = "") -> str:
    return f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>{head}</head><body>{body}</body></html>'


def framed(title: str, body: str) -> str:
    """With the menus and the foot of a large site."""
    return page(title, f"<header>{MENU}</header><main>{body}</main>{FOOT}")


_FORM = '<form action="/session" method="post"><input name="user"><input type="password" name="pass"><button>Go</button></form>'

NOT_THE_PAGE = [
    # Challenges and block pages
    Given("a challenge that the edge announces", page("Example", STORY), BLOCKED, headers={"cf-mitigated": "challenge"}),
    Given("a firewall that says so in a header", page("", "<p>.</p>"), BLOCKED, headers={"x-amzn-waf-action": "captcha"}),
    Given(
        "just a moment",
        page("Just a moment...", "<noscript>Enable JavaScript and cookies to continue</noscript><script>window._cf_chl_opt={cvId:'3'}</script>"),
        BLOCKED,
    ),
    Given(
        "a challenge in German",
        page("Nur einen Moment…", "<h1>beispiel.de</h1><p>Überprüfung, ob die Verbindung sicher ist.</p><script>_cf_chl_opt={}</script>"),
        BLOCKED,
    ),
    Given(
        "attention required",
        page("Attention Required! | Cloudflare", '<h1>Sorry, you have been blocked</h1><h2>You are unable to access example.com</h2><div id="cf-error-details">Ray ID: 8f1</div>'),
        BLOCKED,
    ),
    Given(
        "please enable JS",
        page("example.com", "<p id='cmsg'>Please enable JS and disable any ad blocker</p><script>var dd={'rt':'c','host':'geo.captcha-delivery.com'}</script>"),
        BLOCKED,
    ),
    Given(
        "press and hold",
        page("Access to this page has been denied", '<div id="px-captcha"></div><p>Press &amp; Hold to confirm you are a human (and not a bot).</p>'),
        BLOCKED,
    ),
    Given(
        "access denied with a reference",
        page("Access Denied", '<h1>Access Denied</h1>You don\'t have permission to access "http://example.com/" on this server.<p>Reference #18.2f<p>https://errors.edgesuite.net/18.2f'),
        BLOCKED,
    ),
    Given(
        "an incident id",
        page("", '<iframe src="/_Incapsula_Resource?CWUDNSAI=9">Request unsuccessful. Incapsula incident ID: 877-12</iframe><p>Request unsuccessful. Incapsula incident ID: 877-12</p>'),
        BLOCKED,
    ),
    Given(
        "a support id",
        page("Request Rejected", "The requested URL was rejected. Please consult with your administrator.<br><br>Your support ID is: 1234567<br><a href='javascript:history.back()'>[Go Back]</a>"),
        BLOCKED,
    ),
    Given(
        "the characters you see below",
        page("Robot Check", '<h4>Enter the characters you see below</h4><p>Sorry, we just need to make sure you\'re not a robot.</p><form><img src="/captcha.jpg"><input name="x"></form>'),
        BLOCKED,
    ),
    Given(
        "unusual traffic",
        page("https://www.example.com/search?q=x", "<p>Our systems have detected unusual traffic from your computer network. This page checks to see if it's really you.</p><div class='g-recaptcha'></div>"),
        BLOCKED,
        url="https://www.example.com/sorry/index?continue=x",
    ),
    Given("pardon our interruption", page("Pardon Our Interruption", "<h1>Pardon Our Interruption...</h1><p>As you were browsing something about your browser made us think you were a bot.</p>"), BLOCKED),
    Given("not a bot", page("Making sure you're not a bot!", '<h1>Making sure you\'re not a bot!</h1><img src="/.within.website/x/pensive.webp"><p>Loading...</p>'), BLOCKED),
    Given("too many requests under 200", page("Too Many Requests", "<h1>Too many requests</h1><p>Try again in a minute.</p>"), BLOCKED),
    Given("a bare forbidden", page("403 Forbidden", "<center><h1>403 Forbidden</h1></center><hr><center>nginx</center>"), BLOCKED),
    Given("verify you are human", page("example.com", "<h1>Verify you are human</h1><div class='h-captcha' data-sitekey='k'></div>"), BLOCKED),
    Given("a site's limit by Wordfence", page("Your access to this site has been limited", "<h1>Your access to this site has been limited by the site owner</h1><p>Generated by Wordfence at Tue</p>"), BLOCKED),
    Given("access denied in Russian", page("Доступ запрещён", "<h1>Доступ запрещён</h1><p>Обратитесь к администратору.</p>"), BLOCKED),
    Given("a security check in Chinese", page("安全验证", "<p>请完成安全验证后继续访问</p>"), BLOCKED),
    # Login walls
    Given("a redirect to the login", framed("Sign in", f"<h1>Sign in</h1>{_FORM}"), LOGIN, url="https://example.com/login?next=/reports", requested="https://example.com/reports/7"),
    Given("a wall in place", framed("Log in - Example Intranet", f"<h2>Please log in</h2>{_FORM}<p>Forgot your password?</p>"), LOGIN),
    Given("sign in to continue", page("Example Cloud", f"<h1>Sign in to continue to Drive</h1>{_FORM}"), LOGIN),
    Given("the address first, the password later", page("Sign in - Accounts", '<h1>Sign in</h1><form><input type="email" name="id"><button>Next</button></form>'), LOGIN, url="https://accounts.example.com/v3/signin/identifier?continue=x", requested="https://docs.example.com/d/1"),
    Given("single sign-on", page("Login | University", f"<h1>Central Authentication</h1>{_FORM}"), LOGIN, url="https://sso.example.edu/cas/login?service=x", requested="https://library.example.edu/db/9"),
    Given("a wall in French", page("Se connecter | Exemple", f"<h1>Connexion</h1>{_FORM}"), LOGIN),
    Given("a wall in Japanese", page("ログイン", f"<h1>ログイン</h1>{_FORM}"), LOGIN),
    Given("a wall in Spanish", page("Iniciar sesión - Ejemplo", f"<h2>Inicia sesión</h2>{_FORM}"), LOGIN),
    # Pages that say that there is no such page
    Given("not found in the frame of a shop", framed("Page not found | Shop", "<h1>Oops! Page not found</h1><p>Try the search, or go to the home page.</p>"), GONE),
    Given("a bare 404", page("404 Not Found", "<h1>404 Not Found</h1>"), GONE),
    Given("404 with a sentence", framed("404 | Gazette", "<h1>404</h1><p>The page you are looking for could not be found.</p>"), GONE),
    Given("this page isn't available", framed("Example", "<h1>Sorry, this page isn't available.</h1><p>The link may be broken.</p>"), GONE),
    Given("a product that is gone", framed("Shop", "<h1>Product not found</h1><p>It may have been sold out.</p>"), GONE),
    Given("the post has been removed", framed("Forum", "<h2>This post has been removed</h2>"), GONE),
    Given("not found in German", framed("Seite nicht gefunden - Beispiel", "<h1>Die Seite wurde leider nicht gefunden</h1>"), GONE),
    Given("not found in French", framed("Page introuvable", "<h1>Page introuvable</h1>"), GONE),
    Given("not found in Russian", framed("Страница не найдена", "<h1>Ошибка 404</h1>"), GONE),
    Given("not found in Japanese", framed("エラー", "<h1>お探しのページが見つかりませんでした</h1>"), GONE),
    Given("not found in Chinese", framed("404错误", "<h1>页面不存在</h1>"), GONE),
    Given("a redirect to an error page", framed("Example", "<p>Sorry about that.</p>"), GONE, url="https://example.com/errors/404.html", requested="https://example.com/reports/7"),
    # Nothing
    Given("zero bytes", "", EMPTY),
    Given("only white space and comments", "<!-- nothing --> \n\n", EMPTY),
    Given("a shell for scripts", page("My App", '<noscript>You need to enable JavaScript to run this app.</noscript><div id="root"></div><script src="/app.js"></script>'), EMPTY),
    Given("a shell with a captcha's script", page("My App", '<div id="root"></div><script src="https://www.example.com/recaptcha/api.js"></script>'), EMPTY),
    Given("a frameset", '<html><head><title>Frames</title></head><frameset cols="20%,*"><frame src="a.html"><frame src="b.html"></frameset></html>', EMPTY),
    Given("an iframe and nothing else", page("Portal", '<iframe src="https://apps.example.com/x"></iframe>'), EMPTY),
    Given("a refresh and nothing else", '<html><head><meta http-equiv="Refresh" content="0; url=/new"></head><body></body></html>', EMPTY),
    Given("a drawing and nothing else", page("Chart", "<svg><text>7</text></svg>"), EMPTY),
    Given("everything hidden", page("Hidden", f"<div hidden>{STORY}</div>"), EMPTY),
]  # fmt: skip

THE_PAGE = [
    Given("an article", framed("The flood of 2024 | Gazette", f"<article><h1>The flood</h1>{STORY}</article>")),
    Given("an article with a captcha under its comments", framed("The flood", f"{STORY}<form><textarea></textarea><div class='g-recaptcha'></div><script src='https://www.google.com/recaptcha/api.js'></script></form>")),
    Given("an article with a hCaptcha and a Turnstile", framed("The flood", f"{STORY}<div class='h-captcha'></div><div class='cf-turnstile'></div>")),
    Given("an article with the edge's script", framed("The flood", f"{STORY}<script>(function(){{var d='/cdn-cgi/challenge-platform/scripts/jsd/main.js'}})()</script>")),
    Given("an article behind a firewall's script", framed("The flood", f"{STORY}<script src='/_Incapsula_Resource?SWJIYLWA=7'></script><script src='https://x.token.awswaf.com/challenge.js'></script>")),
    Given("an article with a login form in its head", page("The flood", f"<header>{_FORM}</header>{STORY}")),
    Given("a short thread with a login form in its head", framed("Depth of the river? - Forum", f"{_FORM}<h1>Depth of the river?</h1><p>How deep is it at the bridge?</p><p>About seven metres.</p>")),
    Given("a login page that was asked for", page("Sign in", f"<h1>Sign in</h1>{_FORM}"), url="https://example.com/login"),
    Given("a login page that was asked for, and redirected", page("Sign in", f"<h1>Sign in</h1>{_FORM}"), url="https://example.com/users/sign_in", requested="https://example.com/login"),
    Given("a registration", page("Create your account", f"<h1>Create your account</h1>{_FORM}<p>It takes a minute.</p>")),
    Given("a guide to logging in", framed("How to log in to your router | Help", f"<h1>How to log in to your router</h1>{STORY}{_FORM}")),
    Given("an article on error 404", framed("HTTP 404 - Encyclopedia", f"<h1>HTTP 404</h1><p>404 Not Found is a status code.</p>{STORY}")),
    Given("an article of this very title", framed("Page not found", f"<h1>Page not found</h1><p>A novel in seven letters.</p>{STORY}")),
    Given("the car of this number", framed("404 | Old Cars", "<h1>404</h1><p>A saloon of the sixties, with four doors and a bench in front.</p>")),
    Given("an area code", page("Area code 404", "<h1>Area code 404</h1><p>Atlanta, in use since 1947.</p>")),
    Given("a search without results", framed("Search: xyzzy", "<h1>Search results</h1><p>No results found for xyzzy.</p>")),
    Given("an empty basket", framed("Basket", "<h1>Your basket is empty</h1>")),
    Given("a song called just a moment", framed("Just a Moment - Someone - Songs", "<h1>Just a Moment</h1><p>3:41</p>")),
    Given("a film called Blocked", framed("Blocked | Films", "<h1>Blocked</h1><p>A thriller from 1998 in a lift between two floors.</p>")),
    Given("a question about a block page", framed("Why do I see 'unusual traffic from your computer network'? - Answers", f"<h1>Why do I see this?</h1><p>It says: unusual traffic from your computer network.</p>{STORY}")),
    Given("a short question about one", framed("What does this mean? - Answers", "<h1>What does this mean?</h1><p>When I search it says <q>unusual traffic from your computer network</q>.</p>")),
    Given("a status page", page("Status", "<p>OK</p>")),
    Given("one word", "pong"),
    Given("only a picture", page("Photo", '<img src="/photo.jpg" alt="">')),
    Given("only a picture that is loaded late", page("Photo", '<img data-src="/photo.jpg" src="data:image/gif;base64,R0lGOD">')),
    Given("a list of links", page("Index of /pub", '<h1>Index of /pub</h1><a href="a.tar">a.tar</a> <a href="b.tar">b.tar</a>')),
    Given("a redirect notice with its link", page("Moved", '<p>The document has moved <a href="/new">here</a>.</p>')),
    Given("a short product", framed("Lamp | Shop", "<h1>Lamp</h1><p>Brass, 40 cm. In stock.</p><p>89.00</p>")),
    Given("a product that is sold out", framed("Lamp | Shop", "<h1>Lamp</h1><p>This product is currently out of stock.</p>")),
    Given("a contact form with a captcha", framed("Contact", "<h1>Contact</h1><form><input name=mail><textarea></textarea><div class='g-recaptcha'></div></form>")),
    Given("a page that says welcome back", framed("Welcome back", f"<h1>Welcome back</h1><p>The library opens again on Monday.</p>{STORY}")),
    Given("opening hours", page("Hours", "<table><tr><td>Monday<td>9 to 5<tr><td>Tuesday<td>closed</table>")),
    Given("a poem", page("Fog", "<p>The fog comes<br>on little boots<br>and stays until noon.</p>")),
    Given("an article on captchas", framed("CAPTCHA - Encyclopedia", f"<h1>CAPTCHA</h1><p>Verify you are human by completing the action below is what many of them say.</p>{STORY}")),
    Given("an error page that was asked for", framed("404", "<h1>Page not found</h1>"), url="https://example.com/404"),
    Given("a product with a dialog for the login behind it", framed("Lamp | Shop", f"<h1>Lamp</h1><p>Brass, 40 cm.</p><div class='modal'><h2>Sign in</h2>{_FORM}</div>")),
    Given("a product with a dialog for the login before it", page("Lamp | Shop", f"<div class='modal'><h2>Sign in</h2>{_FORM}</div><h1>Lamp</h1><p>Brass, 40 cm.</p>")),
    Given("a forum's index with a login in its corner", page("Forum", f"<h2>Login</h2>{_FORM}" + "".join(f"<p><a href='/t{n}'>Thread {n}</a></p>" for n in range(20)))),
    Given("a list of threads on such pages", framed("Forum", "<h2><a href='/1'>Page not found</a></h2><h2><a href='/2'>404 error</a></h2><h2><a href='/3'>New theme</a></h2>")),
    Given("a poem called Forbidden", page("Forbidden", "<h1>Forbidden</h1>" + "<p>The apple hung above the wall, and no one dared to touch it.</p>" * 8)),
    Given("a story called a moment of peace, in Spanish", page("Un momento de paz", "<h1>Un momento de paz</h1><p>La tarde cae sobre el río.</p>")),
    Given("free entry, in Russian", page("Вход свободный - Афиша", f"{_FORM}<h1>Концерт</h1><p>Суббота, 19:00.</p>")),
    Given("a review in a page that is all one form", page("Access Denied | Films", f"<form id='aspnetForm'>{STORY * 3}</form>")),
    Given("a text in Chinese", page("公告", "<p>图书馆周一重新开放。</p>")),
]  # fmt: skip
