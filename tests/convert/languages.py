"""Sentences of everyday prose in many languages, written for these tests, and the legacy charsets that pages in them use.

`SENTENCES[language]` has several; `CHARSETS` pairs a WHATWG name with the codec that encodes it and a language.
"""

import unicodedata

SENTENCES: dict[str, list[str]] = {
    "chinese": [
        "今天早上下了一场大雨，街道上到处都是积水。",
        "我们学校的图书馆每天晚上九点关门，请同学们按时还书。",
        "这家餐厅的牛肉面非常有名，很多人专门从外地赶来品尝。",
        "根据气象部门的预报，明天全省大部分地区将有小到中雨。",
        "昨天的会议讨论了新产品的价格和销售计划。",
    ],
    "traditional": [
        "今天早上下了一場大雨，街道上到處都是積水。",
        "我們學校的圖書館每天晚上九點關門，請同學們按時還書。",
        "這家餐廳的牛肉麵非常有名，很多人專程從外地趕來品嚐。",
        "根據氣象局的預報，明天全國大部分地區將有短暫陣雨。",
        "昨天的會議討論了新產品的價格和銷售計畫。",
    ],
    "japanese": [
        "今朝は雨が降っていたので、駅までバスで行きました。",
        "図書館は午後九時に閉まりますから、早めに本を返してください。",
        "このラーメン屋はとても有名で、遠くから来る人も多いです。",
        "天気予報によると、明日は全国的に晴れるでしょう。",
        "昨日の会議では、新しい商品の値段と販売計画について話し合いました。",
    ],
    "korean": [
        "오늘 아침에 비가 많이 와서 버스를 타고 회사에 갔습니다.",
        "도서관은 밤 아홉 시에 문을 닫으니 책을 일찍 반납해 주세요.",
        "이 식당은 냉면이 아주 유명해서 멀리서 오는 손님도 많습니다.",
        "일기예보에 따르면 내일은 전국이 대체로 맑겠습니다.",
        "어제 회의에서는 새 제품의 가격과 판매 계획을 논의했습니다.",
    ],
    "russian": [
        "Сегодня утром шёл сильный дождь, и на улицах было много воды.",
        "Библиотека закрывается в девять часов вечера, просим вернуть книги вовремя.",
        "Этот ресторан славится своим борщом, и многие приезжают сюда издалека.",
        "По прогнозу погоды завтра на большей части области ожидаются осадки.",
        "На вчерашнем совещании обсуждали цену нового товара и план продаж.",
    ],
    "ukrainian": [
        "Сьогодні вранці йшов сильний дощ, і на вулицях було багато води.",
        "Бібліотека зачиняється о дев'ятій годині вечора, просимо вчасно повернути книжки.",
        "Цей ресторан відомий своїм борщем, і багато хто приїздить сюди здалеку.",
        "За прогнозом погоди завтра на більшій частині області очікуються опади.",
        "На вчорашній нараді обговорювали ціну нового товару та план продажів.",
    ],
    "bulgarian": [
        "Тази сутрин валя силен дъжд и по улиците имаше много вода.",
        "Библиотеката затваря в девет часа вечерта, моля върнете книгите навреме.",
        "Този ресторант е известен със своята супа и много хора идват отдалече.",
    ],
    "polish": [
        "Dziś rano padał silny deszcz i na ulicach było dużo wody.",
        "Biblioteka zamyka się o dziewiątej wieczorem, prosimy o zwrot książek na czas.",
        "Ta restauracja słynie z żurku, a wielu gości przyjeżdża tu z daleka.",
        "Według prognozy pogody jutro w większości województw będą przelotne opady śniegu.",
    ],
    "czech": [
        "Dnes ráno silně pršelo a na ulicích bylo hodně vody.",
        "Knihovna zavírá v devět hodin večer, prosíme, vraťte knihy včas.",
        "Tato restaurace je proslulá svou polévkou a mnoho hostů sem přijíždí zdaleka.",
        "Podle předpovědi počasí bude zítra na většině území oblačno s přeháňkami.",
    ],
    "hungarian": [
        "Ma reggel erősen esett az eső, és az utcákon sok víz gyűlt össze.",
        "A könyvtár este kilenckor zár, kérjük, hogy időben hozzák vissza a könyveket.",
        "Ez az étterem a gulyásleveséről híres, és sokan messziről jönnek ide.",
    ],
    "german": [
        "Heute früh regnete es stark, und auf den Straßen stand überall Wasser.",
        "Die Bücherei schließt um neun Uhr; bitte bringen Sie die Bücher pünktlich zurück.",
        "Dieses Gasthaus ist für seine Klöße berühmt, und viele Gäste kommen von weit her.",
        "Laut Wetterbericht fällt morgen in höheren Lagen Schnee – „Vorsicht, Glätte“.",
    ],
    "french": [
        "Ce matin il a plu très fort et les rues étaient pleines d’eau.",
        "La bibliothèque ferme à neuf heures du soir ; merci de rendre les livres à temps.",
        "Ce restaurant est célèbre pour sa soupe à l’oignon, et beaucoup viennent de loin.",
        "D’après la météo, la région sera couverte de nuages demain après-midi.",
    ],
    "spanish": [
        "Esta mañana llovió con fuerza y había mucha agua en las calles.",
        "La biblioteca cierra a las nueve; ¿podrían devolver los libros a tiempo, por favor?",
        "El año pasado este pequeño café recibió más de mil visitantes del extranjero.",
    ],
    "swedish": [
        "I morse regnade det häftigt och det låg mycket vatten på gatorna.",
        "Biblioteket stänger klockan nio på kvällen; lämna gärna tillbaka böckerna i tid.",
        "Den här restaurangen är känd för sin ärtsoppa och många åker långt för att äta här.",
    ],
    "portuguese": [
        "Esta manhã choveu muito e as ruas ficaram cheias de água.",
        "A biblioteca fecha às nove da noite; não se esqueça de devolver os livros.",
        "A previsão é de céu nublado amanhã em toda a região, com possibilidade de trovões.",
    ],
    "greek": [
        "Σήμερα το πρωί έβρεχε δυνατά και οι δρόμοι γέμισαν νερά.",
        "Η βιβλιοθήκη κλείνει στις εννέα το βράδυ, παρακαλούμε επιστρέψτε έγκαιρα τα βιβλία.",
        "Αυτό το εστιατόριο φημίζεται για τη σούπα του και πολλοί έρχονται από μακριά.",
    ],
    "turkish": [
        "Bu sabah çok şiddetli yağmur yağdı ve sokaklar suyla doldu.",
        "Kütüphane akşam dokuzda kapanıyor, lütfen kitapları zamanında geri getirin.",
        "Bu lokanta çorbasıyla ünlüdür ve birçok kişi uzaktan buraya gelir.",
    ],
    "hebrew": [
        "הבוקר ירד גשם חזק והרחובות היו מלאים במים.",
        "הספרייה נסגרת בתשע בערב, נא להחזיר את הספרים בזמן.",
        "המסעדה הזאת מפורסמת במרק שלה ואנשים רבים באים מרחוק.",
    ],
    "arabic": [
        "هطل المطر بغزارة هذا الصباح وامتلأت الشوارع بالمياه.",
        "تغلق المكتبة أبوابها في الساعة التاسعة مساء، يرجى إعادة الكتب في الوقت المحدد.",
        "هذا المطعم مشهور بحسائه ويأتي إليه كثير من الناس من بعيد.",
    ],
    "lithuanian": [
        "Šįryt smarkiai lijo, ir gatvėse buvo daug vandens.",
        "Biblioteka užsidaro devintą valandą vakaro, prašome laiku grąžinti knygas.",
        "Šis restoranas garsėja šaltibarščiais, ir daug žmonių čia atvyksta iš toli.",
    ],
    "latvian": [
        "Šorīt stipri lija, un uz ielām bija daudz ūdens.",
        "Bibliotēka tiek slēgta deviņos vakarā, lūdzam laikus nodot grāmatas.",
        "Šis restorāns ir slavens ar savu zupu, un daudzi šurp brauc no tālienes.",
    ],
    "estonian": [
        "Täna hommikul sadas kõvasti vihma ja tänavatel oli palju vett.",
        "Raamatukogu suletakse õhtul kell üheksa, palun tooge raamatud õigel ajal tagasi.",
    ],
    "vietnamese": [
        "Sáng nay trời mưa rất to và đường phố đầy nước.",
        "Thư viện đóng cửa lúc chín giờ tối, xin vui lòng trả sách đúng hạn.",
        "Quán ăn này nổi tiếng với món phở và nhiều người đến từ rất xa.",
    ],
    "thai": [
        "เมื่อเช้านี้ฝนตกหนักมากและมีน้ำท่วมขังตามถนน",
        "ห้องสมุดปิดเวลาสามทุ่ม กรุณาคืนหนังสือให้ตรงเวลา",
        "ร้านอาหารนี้มีชื่อเสียงเรื่องก๋วยเตี๋ยวและมีคนมาจากที่ไกล",
    ],
}

# WHATWG name, the codec that encodes it, language
CHARSETS: list[tuple[str, str, str]] = [
    ("gbk", "gbk", "chinese"),
    ("gb18030", "gb18030", "chinese"),
    ("big5", "big5", "traditional"),
    ("shift_jis", "cp932", "japanese"),
    ("euc-jp", "euc_jp", "japanese"),
    ("iso-2022-jp", "iso2022_jp", "japanese"),
    ("euc-kr", "cp949", "korean"),
    ("windows-1251", "cp1251", "russian"),
    ("windows-1251", "cp1251", "ukrainian"),
    ("windows-1251", "cp1251", "bulgarian"),
    ("koi8-r", "koi8_r", "russian"),
    ("koi8-u", "koi8_u", "ukrainian"),
    ("ibm866", "cp866", "russian"),
    ("iso-8859-5", "iso8859_5", "russian"),
    ("windows-1250", "cp1250", "polish"),
    ("windows-1250", "cp1250", "czech"),
    ("windows-1250", "cp1250", "hungarian"),
    ("iso-8859-2", "iso8859_2", "polish"),
    ("iso-8859-2", "iso8859_2", "czech"),
    ("iso-8859-2", "iso8859_2", "hungarian"),
    ("windows-1252", "cp1252", "german"),
    ("windows-1252", "cp1252", "french"),
    ("windows-1252", "cp1252", "spanish"),
    ("windows-1252", "cp1252", "swedish"),
    ("windows-1252", "cp1252", "portuguese"),
    ("windows-1253", "cp1253", "greek"),
    ("iso-8859-7", "iso8859_7", "greek"),
    ("windows-1254", "cp1254", "turkish"),
    ("windows-1255", "cp1255", "hebrew"),
    ("windows-1256", "cp1256", "arabic"),
    ("windows-1257", "cp1257", "lithuanian"),
    ("windows-1257", "cp1257", "latvian"),
    ("windows-1257", "cp1257", "estonian"),
    ("windows-1258", "cp1258", "vietnamese"),
    ("windows-874", "cp874", "thai"),
    *((f"utf-16{order}", f"utf-16-{order}", language) for order in ("le", "be") for language in SENTENCES),
]


def written(text: str, codec: str) -> str:
    """`text` as `codec` can hold it: Vietnamese with its tone marks apart, and without typographic quotes elsewhere."""
    if codec == "cp1258":
        text = "".join(_apart(character) for character in text)
    return text.encode(codec, "ignore").decode(codec)


def _apart(character: str) -> str:
    parts = unicodedata.normalize("NFD", character)
    tones = "".join(part for part in parts if part in "\u0300\u0301\u0303\u0309\u0323")
    if not tones or character.encode("cp1258", "ignore"):
        return character
    return unicodedata.normalize("NFC", "".join(part for part in parts if part not in tones)) + tones
