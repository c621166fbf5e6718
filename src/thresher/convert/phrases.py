"""The words by which pages that are not the page give themselves away: whole headings and marks in the source.

Tables only; convert/verdict.py says what they are worth. A heading counts only as a whole ("Sign in", not "How to
sign in to a router"), so the patterns are matched against one segment of a title, or one heading, from end to end.
Each mark is on the interstitial page of its maker and not on the pages that its scripts protect.
"""

import re

# Headings of challenge and block pages.
BLOCKED = re.compile(
    r"(?:error )?(?:403[ :]*)?(?:access (?:is |was |has been )?(?:denied|forbidden|blocked|restricted)|forbidden)(?: ?[(:-]? ?403\)?)?"
    r"|403|error 403|http 403.*|403 error"
    r"|access to this (?:page|site|website|resource) (?:has been|is|was) (?:denied|blocked|forbidden)"
    r"|(?:sorry,? )?you(?: have|'ve| are|'re)(?: been)? (?:temporarily )?blocked.{0,40}"
    r"|(?:your )?(?:ip|ip address|request|access) (?:has been |was |is )(?:temporarily )?(?:blocked|denied|rejected|banned|limited).{0,40}"
    r"|request (?:blocked|rejected|denied|unsuccessful)|blocked|the request is blocked|block page|web page blocked"
    r"|attention required!?|just a moment|one moment,? please|un momento(?:,? por favor)?|(?:nur )?einen moment(?:,? bitte)?|un instant(?:,? s'il vous pla[iî]t)?"
    r"|checking your browser.{0,60}|please wait while we (?:check|verify) .{0,60}|ddos protection by .{0,40}|ddos-guard"
    r"|(?:security|browser|robot|bot|captcha|human) (?:check|verification|challenge|verify)(?: required)?|captcha|captcha required"
    r"|are you (?:a )?(?:human|robot|bot)(?: or a (?:robot|bot))?|(?:please )?(?:verify|confirm|prove) (?:that )?you(?: are|'re) (?:a )?(?:human|not a (?:ro)?bot)"
    r"|verifying (?:that )?you are human.{0,60}|making sure you(?:'re| are) not a (?:ro)?bot"
    r"|pardon our interruption|unusual traffic.{0,60}|too many requests|rate limit(?:ed| exceeded)|bot detected"
    r"|zugriff verweigert|zugriff abgelehnt|acc[eè]s (?:refus[eé]|interdit)|acceso denegado|acesso negado|accesso negato|toegang geweigerd"
    r"|brak dost[eę]pu|доступ (?:запрещ[её]н|ограничен|заблокирован)|アクセスが拒否されました|アクセス拒否|访问被拒绝|禁止访问|安全验证|人机验证"
)

# Headings of login pages.
LOGIN = re.compile(
    r"(?:please )?(?:log[ -]?in|sign[ -]?in|log on|sign on)(?: required| page| form)?"
    r"|(?:please )?(?:you (?:must|need to|have to) (?:be logged in|log ?in|sign ?in).{0,60})"
    r"|(?:please )?(?:log ?in|sign ?in) (?:to|with|or|using|for) .{1,60}|(?:member|user|customer|account|client|subscriber) (?:log[ -]?in|sign[ -]?in)"
    r"|authentication required|login required|welcome back"
    r"|anmelden|anmeldung|einloggen|login erforderlich|bitte (?:anmelden|einloggen|melden sie sich an).{0,40}|bei .{1,40} anmelden"
    r"|connexion|se connecter|connectez-vous.{0,40}|identifiez-vous|identification|(?:inicia|iniciar) sesi[oó]n.{0,40}|acceder|ingresar"
    r"|accedi|accedi a .{1,40}|entrar|fazer login|iniciar sess[aã]o|inloggen|aanmelden|logga in|logg inn|log ind|kirjaudu(?: sis[aä][aä]n)?"
    r"|zaloguj(?: si[eę])?|logowanie|p[rř]ihl[aá][sš]en[ií]|p[rř]ihl[aá]sit(?: se)?|bejelentkez[eé]s|autentificare|giri[sş](?: yap)?|oturum a[cç]"
    r"|войти(?: (?:в|на|с|через) .{1,40})?|вход(?: (?:(?:в|на) (?:личный кабинет|систему|сайт|аккаунт|форум|почту)|для пользователей).{0,20})?|авторизация|увійти|вхід|σύνδεση|ログイン|サインイン|登录|登入|登錄|请登录|用户登录|会员登录|로그인|تسجيل الدخول|כניסה|התחברות"
)

# Headings of pages that say that there is no such page.
NOT_FOUND = re.compile(
    r"(?:http |error )?404[ !.:,–-]*(?:error|not found|page not found|file not found|fehler|страница не найдена|错误|エラー)"
    r"|(?:http|error|erreur|fehler|errore|fout|b[lł][aą]d|ошибка|hata|错误|エラー) ?404|(?:404[ :.,–-]*)?(?:oops[!.,…]* *|sorry[!,.…]* *|whoops[!.,]* *|uh[ -]?oh[!.,]* *)?(?:we (?:could ?n.t|can.?t|cannot|could not) find (?:that|this|the) page.{0,60}"
    r"|(?:this |the |that |your )?(?:requested )?(?:page|file|article|product|content|document|url|item|listing|post|story|video|resource|entry|profile|user|job|event)"
    r"(?: you(?: are|'re| were)? (?:requested|looking for|look for|wanted|tried to (?:reach|open)))?"
    r"(?: (?:was|is|could|can|cannot|can.?t be|cannot be|could not be|couldn.t be))?(?: not|n.t)?(?: be)? (?:found|exist|available|located|unavailable|gone|missing|removed|deleted)(?: here| anymore| any more)?"
    r"|(?:this |the |that )?(?:requested )?(?:page|url|product|article|content|item|listing|post|job)(?: you(?: are|'re| were)? (?:requested|looking for))? (?:does not|doesn.t|no longer|isn.t|is not|is no longer|has been|was) ?(?:exists?|available|found|here|removed|deleted|moved or deleted|expired)(?: anymore| any more)?"
    r"|nothing (?:was )?found here|not found|page gone|there.?s nothing here|this is not the (?:web )?page you are looking for)(?: ?[([–-]? ?404[)\]]?)?"
    r"|(?:die |diese )?seite (?:wurde |konnte |existiert )?(?:leider )?nicht (?:gefunden(?: werden)?|vorhanden|verf[uü]gbar|mehr verf[uü]gbar)|seite existiert nicht(?: mehr)?"
    r"|(?:cette |la )?page (?:est )?(?:introuvable|non trouv[eé]e)|(?:cette |la )?page (?:demand[eé]e )?n.existe (?:pas|plus)"
    r"|p[aá]gina no (?:encontrada|existe|disponible)|no se (?:ha encontrado|encontr[oó]|encuentra) la p[aá]gina.{0,40}|p[aá]gina n[aã]o (?:encontrada|existe)"
    r"|pagina (?:non|niet|nu a fost) (?:trovata|gevonden|g[aă]sit[aă])|la pagina (?:richiesta )?non (?:esiste|[eè] stata trovata).{0,20}"
    r"|sid(?:an|en) (?:kunde |kunne |blev |ble )?(?:inte|ikke) (?:hittas|hittades|findes|fundet|funnet|finnes)|sivua ei l[oö]ydy|sivua ei l[oö]ytynyt"
    r"|(?:nie znaleziono|nie odnaleziono) strony|strona nie (?:zosta[lł]a znaleziona|istnieje)|str[aá]nka (?:nenalezena|nebyla nalezena|neexistuje)"
    r"|az oldal nem tal[aá]lhat[oó]|sayfa bulunamad[iı]|страница (?:не найдена|не существует|удалена)|такой страницы (?:нет|не существует)|сторінку не знайдено"
    r"|(?:お探しの)?ページ(?:が|は)(?:見つかりません(?:でした)?|存在しません)|(?:页面|頁面|网页|網頁|文章|商品)(?:不存在|未找到|找不到|已删除|无法找到)|找不到(?:页面|頁面|网页|網頁|该页面|該頁面)|(?:抱歉[,，]?)?您访问的页面不存在"
    r"|(?:요청하신 )?페이지를 찾을 수 없습니다|الصفحة غير موجودة|הדף לא נמצא|ไม่พบหน้านี้|không tìm thấy trang"
)

# Too little by itself: a car, a year, an area code.
NUMBER = re.compile(r"404")
NUMBER_TEXTS = re.compile(
    r"not (?:be )?found|doesn't exist|does not exist|can't find|could not find|couldn't find|cannot find|no longer exists"
)

# In the text of a thin page: what block pages say of themselves. Anywhere in it.
BLOCKED_TEXTS = (
    "unusual traffic from your",
    "please verify you are a human",
    "verify you are human by completing",
    "verify that you are not a robot",
    "to continue, please click the box below to let us know you're not a robot",
    "confirm you are human",
    "checking if the site connection is secure",
    "checking your browser before accessing",
    "needs to review the security of your connection",
    "your browser will redirect to your requested content shortly",
    "please enable js and disable any ad blocker",
    "enable javascript and cookies to continue",
    "you have been blocked",
    "your ip has been blocked",
    "your ip address has been blocked",
    "your access to this site has been limited",
    "the requested url was rejected. please consult with your administrator",
    "request unsuccessful. incapsula incident id",
    "you don't have permission to access",
    "you do not have permission to access this",
    "automated access to",
    "automated requests from your",
    "enter the characters you see below",
    "we have detected unusual activity",
    "suspicious activity from your",
    "as you were browsing something about your browser made us think you were a bot",
    "protecting itself from online attacks",
    "the request could not be satisfied",
    "请完成安全验证",
    "请输入验证码",
)

# In the source, in lower case, of a thin page: what only the page of a challenge has, and whose it is.
MARKS = (
    ("_cf_chl_opt", "Cloudflare's challenge"),
    ("cf-error-details", "Cloudflare's error page"),
    ("cf-browser-verification", "Cloudflare's challenge"),
    ("captcha-delivery.com", "DataDome's challenge"),
    ('id="px-captcha', "HUMAN's challenge"),
    ("incapsula incident id", "Imperva's block page"),
    ("errors.edgesuite.net", "Akamai's block page"),
    ("awswafcookiedomainlist", "AWS WAF's challenge"),
    ("sucuri_cloudproxy", "Sucuri's challenge"),
    ("sucuri website firewall", "Sucuri's block page"),
    ("generated by wordfence", "Wordfence's block page"),
    ("/.within.website/", "Anubis's challenge"),
    ("/recaptcha/challengepage", "Google's challenge page"),
)

# What real pages have too: never a reason, only more evidence.
WIDGETS = (
    ("g-recaptcha", "a reCAPTCHA"),
    ("recaptcha/api.js", "a reCAPTCHA"),
    ("h-captcha", "an hCaptcha"),
    ("cf-turnstile", "a Turnstile"),
    ("challenges.cloudflare.com", "a Turnstile"),
    ("_incapsula_resource", "a script of Imperva's"),
    ("awswafintegration", "a script of AWS WAF's"),
    ("kpsdk", "a script of Kasada's"),
    ("/.well-known/ddos-guard/", "a script of DDoS-Guard's"),
    ("geetest", "a GeeTest"),
    ("arkoselabs", "an Arkose challenge"),
)

# Response headers by which an edge says itself that this is no page: (name, values; None for any).
HEADERS = (
    ("cf-mitigated", frozenset({"challenge", "block"})),
    ("x-amzn-waf-action", None),
)

# Segments of the path of a URL that leads to a login, or to an error page.
LOGIN_PATHS = frozenset(
    {"login", "signin", "sign-in", "sign_in", "log-in", "log_in", "logon", "sso", "auth", "authorize", "oauth", "oauth2", "saml", "saml2", "anmelden", "connexion", "wp-login", "servicelogin", "identifier", "login_check"}
)  # fmt: skip
NOT_FOUND_PATHS = frozenset(
    {"404", "not-found", "notfound", "not_found", "page-not-found", "error404", "404-error", "pagenotfound"}
)
